#include "remote/fault.h"

namespace assay {

std::string_view FaultName(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "";
    case Fault::kUnreachable:
      return "unreachable";
    case Fault::kCut:
      return "cut stream";
    case Fault::kStalled:
      return "stalled";
    case Fault::kBusy:
      return "too many requests";
    case Fault::kServerError:
      return "server error";
    case Fault::kRefused:
      return "refused";
    case Fault::kWrongJson:
      return "wrong JSON";
    case Fault::kNotUtf8:
      return "invalid UTF-8";
    case Fault::kEmpty:
      return "empty answer";
    case Fault::kContentFilter:
      return "content filter";
    case Fault::kTruncated:
      return "truncated by the server";
    case Fault::kTooLong:
      return "too long";
    case Fault::kOtherModel:
      return "another model";
    case Fault::kOtherPrompt:
      return "another prompt";
    case Fault::kKeyInAnswer:
      return "key in the answer";
  }
  return "";
}

bool IsWorthAnother(Fault fault) {
  switch (fault) {
    case Fault::kUnreachable:
    case Fault::kCut:
    case Fault::kStalled:
    case Fault::kBusy:
    case Fault::kServerError:
    case Fault::kWrongJson:
    case Fault::kNotUtf8:
    case Fault::kEmpty:
    case Fault::kOtherModel:
      return true;
    default:
      return false;
  }
}

}  // namespace assay
