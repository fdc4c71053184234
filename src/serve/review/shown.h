#pragma once
// What the page shows of an example, as JSON of texts that are fit to be seen: nothing in them is invisible or acts on
// the display.

#include <string>
#include <string_view>

#include "base/json.h"
#include "task/task.h"

namespace assay {

/// What is asked, in a line: the last message of the user's, or the raw prompt. Empty where `object` is no example.
std::string QuestionText(const Json& object);
/// [{role, text}]: tools, documents and settings last, with "aside".
Json ConversationJson(const Example& example);
/// Of each check of the line's own "expect", its members as they are written: {"value": "\"Paris\""}; calls one by one.
Json ChecksJson(std::string_view line);
/// {"before": [[text, differs] …], "after": […]}.
Json DiffJson(std::string_view before, std::string_view after);

}  // namespace assay
