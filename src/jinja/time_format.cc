// strftime as CPython has it on Linux, of a time without a zone: glibc's conversions, flags and widths in the C locale,
// and Python's own %f and %z before them.

#include <algorithm>
#include <cctype>
#include <ctime>

#include "jinja/runtime.h"

namespace assay::jinja {
namespace {

constexpr int kMaxTimeWidth = 1024;

/// One conversion: %[flags][width][E or O]letter.
struct Field {
  std::string_view text;  // as it stands in the format
  char pad = 0;           // '_', '-' or '0'; 0: as the conversion has it
  bool upper = false, change_case = false;
  int width = 0;
  char modifier = 0, letter = 0;  // letter 0: the format ends
};

Field ReadField(std::string_view rest) {
  Field field;
  size_t at = 1;  // behind %
  for (; at < rest.size() && std::string_view("_-0^#").find(rest[at]) != std::string_view::npos; ++at) {
    if (rest[at] == '^')
      field.upper = true;
    else if (rest[at] == '#')
      field.change_case = true;
    else
      field.pad = rest[at];
  }
  for (; at < rest.size() && rest[at] >= '0' && rest[at] <= '9'; ++at)
    field.width = std::min(10 * field.width + rest[at] - '0', kMaxTimeWidth + 1);
  if (at < rest.size() && (rest[at] == 'E' || rest[at] == 'O')) field.modifier = rest[at++];
  if (at < rest.size()) field.letter = rest[at++];
  field.text = rest.substr(0, at);
  return field;
}

int Weekday(const std::tm& time, int first) {
  return (time.tm_wday - first + 7) % 7;
}

bool IsLeap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

struct IsoDate {
  int year, week;
};

/// The week belongs to the year of its Thursday.
IsoDate IsoDateOf(const std::tm& time) {
  IsoDate date{time.tm_year + 1900, 0};
  int thursday = time.tm_yday - Weekday(time, 1) + 3;
  if (thursday < 0) thursday += IsLeap(--date.year) ? 366 : 365;
  if (const int days = IsLeap(date.year) ? 366 : 365; thursday >= days) {
    thursday -= days;
    ++date.year;
  }
  date.week = thursday / 7 + 1;
  return date;
}

/// What Python itself puts in before it calls strftime: no zone, and whole seconds.
std::string PythonsOwn(std::string_view format) {
  std::string out;
  for (size_t at = 0; at < format.size();) {
    const std::string_view rest = format.substr(at);
    const bool zone = rest.starts_with("%z") || rest.starts_with("%Z") || rest.starts_with("%:z");
    if (rest.starts_with("%f")) out += "000000";
    const size_t size = rest.starts_with("%:z") ? 3 : rest[0] == '%' && rest.size() > 1 ? 2 : 1;
    if (!zone && !rest.starts_with("%f")) out += rest.substr(0, size);
    at += size;
  }
  return out;
}

class TimeText {
 public:
  TimeText(Runtime& runtime, const std::tm& time, int64_t unix_s) : runtime_(runtime), time_(time), unix_s_(unix_s) {}

  std::string Format(std::string_view format) {
    std::string out;
    for (size_t at = 0; at < format.size();) {
      if (format[at] != '%') {
        out += format[at++];
        continue;
      }
      const std::string_view rest = format.substr(at);
      const Field field = ReadField(rest);
      if (field.width > kMaxTimeWidth)
        runtime_.Throw(ErrorKind::kResource, fmt::format("strftime_now: a width above {}", kMaxTimeWidth));
      runtime_.Step();
      runtime_.CheckTextSize(out.size() + static_cast<size_t>(field.width));
      Append(field, out);
      at += field.text.size();
    }
    return out;
  }

 private:
  /// What glibc does not convert it copies.
  static bool IsKnown(const Field& field) {
    auto among = [&](std::string_view letters) { return letters.find(field.letter) != std::string_view::npos; };
    if (field.letter == '\0') return false;
    if (field.modifier == 'E') return among("cCnpPrRstTuxXyYzZ%");
    if (field.modifier == 'O') return among("bBCdegGhHIjklmMnpPrRsStTuUVwWyzZ%");
    return among("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%");
  }

  void Append(const Field& field, std::string& out) {
    const bool known = IsKnown(field);
    std::string text = known ? Converted(field) : std::string(field.text);
    auto among = [&](std::string_view letters) { return letters.find(field.letter) != std::string_view::npos; };
    const bool name = field.change_case && ((known && among("aA")) || among("bBh")),
               small = known && (field.letter == 'P' || (field.letter == 'p' && field.change_case));
    if (!small && (field.upper || name))
      for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const size_t width = static_cast<size_t>(field.width);
    if (field.letter != 'z' && text.size() < width) out.append(width - text.size(), field.pad == '0' ? '0' : ' ');
    out += text;
  }

  static std::string Padded(const Field& field, int64_t value, int digits, bool spaces = false) {
    std::string text = fmt::format("{}", value);
    const char pad = field.pad ? field.pad : spaces ? '_' : '0';
    const size_t size = static_cast<size_t>(std::max(digits, field.width));
    if (pad != '-' && text.size() < size) text.insert(0, size - text.size(), pad == '_' ? ' ' : '0');
    return text;
  }

  std::string Converted(const Field& field) {
    static constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                 "Thursday", "Friday", "Saturday"};
    static constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
    const std::string_view day = kDays[time_.tm_wday], month = kMonths[time_.tm_mon];
    const int year = time_.tm_year + 1900, hour = time_.tm_hour % 12 == 0 ? 12 : time_.tm_hour % 12;
    switch (field.letter) {
      case 'a':
        return std::string(day.substr(0, 3));
      case 'A':
        return std::string(day);
      case 'b':
      case 'h':
        return std::string(month.substr(0, 3));
      case 'B':
        return std::string(month);
      case 'c':
        return Format("%a %b %e %H:%M:%S %Y");
      case 'C':
        return Padded(field, year / 100, 1);
      case 'd':
        return Padded(field, time_.tm_mday, 2);
      case 'D':
      case 'x':
        return Format("%m/%d/%y");
      case 'e':
        return Padded(field, time_.tm_mday, 2, true);
      case 'F':
        return Format("%Y-%m-%d");
      case 'g':
        return Padded(field, IsoDateOf(time_).year % 100, 2);
      case 'G':
        return Padded(field, IsoDateOf(time_).year, 1);
      case 'H':
        return Padded(field, time_.tm_hour, 2);
      case 'I':
        return Padded(field, hour, 2);
      case 'j':
        return Padded(field, time_.tm_yday + 1, 3);
      case 'k':
        return Padded(field, time_.tm_hour, 2, true);
      case 'l':
        return Padded(field, hour, 2, true);
      case 'm':
        return Padded(field, time_.tm_mon + 1, 2);
      case 'M':
        return Padded(field, time_.tm_min, 2);
      case 'n':
        return "\n";
      case 'p':
        if (!field.change_case) return time_.tm_hour < 12 ? "AM" : "PM";
        [[fallthrough]];
      case 'P':
        return time_.tm_hour < 12 ? "am" : "pm";
      case 'r':
        return Format("%I:%M:%S %p");
      case 'R':
        return Format("%H:%M");
      case 's':
        return fmt::format("{}", unix_s_);
      case 'S':
        return Padded(field, time_.tm_sec, 2);
      case 't':
        return "\t";
      case 'T':
      case 'X':
        return Format("%H:%M:%S");
      case 'u':
        return Padded(field, Weekday(time_, 1) + 1, 1);
      case 'U':  // weeks from the first Sunday on
        return Padded(field, (time_.tm_yday - Weekday(time_, 0) + 7) / 7, 2);
      case 'V':
        return Padded(field, IsoDateOf(time_).week, 2);
      case 'w':
        return Padded(field, time_.tm_wday, 1);
      case 'W':  // from the first Monday on
        return Padded(field, (time_.tm_yday - Weekday(time_, 1) + 7) / 7, 2);
      case 'y':
        return Padded(field, year % 100, 2);
      case 'Y':
        return Padded(field, year, 1);
      case '%':
        return "%";
      default:  // z and Z: no zone
        return "";
    }
  }

  Runtime& runtime_;
  const std::tm& time_;
  int64_t unix_s_;
};

}  // namespace

std::string FormatTime(Runtime& runtime, int64_t unix_s, std::string_view format) {
  std::time_t seconds = static_cast<std::time_t>(unix_s);
  std::tm time{};
  if (!gmtime_r(&seconds, &time)) runtime.Fail("strftime_now: the time is out of range");
  return TimeText(runtime, time, unix_s).Format(PythonsOwn(format));
}

}  // namespace assay::jinja
