#pragma once
// What whatever answers a task can do beside answering. What it cannot is not claimed of its run, and said.

namespace assay {

/// The defaults are those of a model that runs in this process.
struct Capabilities {
  bool tokenize = true;       // tells the tokens of a prompt, and of an answer
  bool render = true;         // tells its chat template, and what that makes of a chat
  bool score = true;          // predicts over the whole vocabulary along a given text
  bool seeds = true;          // draws the same again with the same seed
  bool same_bits = true;      // answers the same request the same way, whatever else it is asked
  bool holds_schema = false;  // holds an answer to the response schema while it is written
  bool reads_calls = false;   // takes calls out of an answer's text itself
  bool operator==(const Capabilities&) const = default;
};

}  // namespace assay
