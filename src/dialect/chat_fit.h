#pragma once
// Messages fitted to a chat template, as vLLM and llama.cpp do it: content as text or as parts, arguments of calls as
// objects or as JSON text, whichever the template shows. Which one that is, and what the template leaves out, is found
// by rendering the conversation with marks in its texts and looking which of them come through.

#include <string>
#include <vector>

#include "dialect/chat_template.h"

namespace assay {

/// Something that the conversation says and the rendered prompt does not.
struct ChatLoss {
  enum class Kind { kTool, kSystem, kDocument, kMessage, kCall } kind;
  std::string what;  // "tool order", "messages[0] (system)", "documents[2]"
};

struct FittedChat {
  ChatTemplate::Input input;         // as the template gets it
  std::vector<ChatLoss> losses;      // in the order of the conversation; what an assistant said is not looked for
  std::vector<std::string> changes;  // what was changed to fit, for people
  bool renders = false;              // false: the template refuses every form
};

/// Messages without null members (`content` apart), reasoning under the names that templates read (reasoning_content,
/// thinking). Where no form of the messages renders, they stay as they are: rendering them says why. Throws
/// Error{kResource} past a limit of rendering.
FittedChat FitChat(const ChatTemplate& chat_template, const ChatTemplate::Input& input);

/// The prompt, with what the code published beside a template prepares (kimi_tools.h). Throws as ChatTemplate::Render.
std::string RenderChat(const ChatTemplate& chat_template, const ChatTemplate::Input& input);

}  // namespace assay
