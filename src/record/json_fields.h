#pragma once
// Structs of records as JSON. Each names its members once, in the order of the file, and the list serves both
// directions:
//
//   void Members(auto& json, MaybeConst<BenchRow> auto& row) {
//     json.Required("test", row.test);
//     json.Member("tokens", row.tokens);
//   }
//
// A member is a text, a bool, a whole or a real number, Json, a struct with such a list, or a vector of these.
// JSON has no word for a real number that is not finite: NaN, "not measured", is null; infinite is "inf" or "-inf".

#include <fmt/core.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace assay {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename T, typename Struct>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Struct>;

template <typename T>
concept JsonScalar = std::is_arithmetic_v<T> || std::same_as<T, std::string> || std::same_as<T, Json>;

template <typename T>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;

/// A real number as a record has it. `null`: what null stands for in its place; where that is no NaN, NaN is "nan".
Json NumberJson(double value, double null = kNaN);
/// The shortest decimal that reads back as the same float.
Json NumberJson(float value, double null = kNaN);

/// A member that must be an array or an object.
const Json& JsonArray(const Json& object, std::string_view key, std::string_view where);
const Json& JsonObject(const Json& object, std::string_view key, std::string_view where);
/// Refuses a version above `newest`; `what` names the record.
int JsonVersion(const Json& object, std::string_view key, int newest, std::string_view what, std::string_view where);

/// `null`, here and in JsonReader: what null stands for in place of a real number. Files written before "inf" have it
/// for an infinity where no NaN could be.
class JsonWriter {
 public:
  void Version(const char* key, int version, int /*newest*/, std::string_view /*what*/) { json_[key] = version; }
  template <typename T>
  void Required(const char* key, const T& value, double null = kNaN) {
    json_[key] = Written(value, null);
  }
  template <typename T>
  void Member(const char* key, const T& value, double null = kNaN) {
    Required(key, value, null);
  }
  template <typename T>
  void Optional(const char* key, const T& value, const std::type_identity_t<T>& absent = {}) {
    if (Has(key, !(value == absent))) Required(key, value);
  }
  template <typename T>
  void Optional(const char* key, const std::vector<T>& values) {
    if (Has(key, !values.empty())) Required(key, values);
  }
  template <typename T>
  void Optional(const char* key, const std::optional<T>& value, double null = kNaN) {
    if (value) Required(key, *value, null);
  }
  void Nullable(const char* key, const std::string& text) { json_[key] = text.empty() ? Json(nullptr) : Json(text); }
  template <typename T>
  void Derived(const char* key, const T& value) {
    Required(key, value);
  }
  bool Has(const char* /*key*/, bool has) const { return has; }
  template <typename... Args>
  void Expect(bool, const char* /*key*/, fmt::format_string<Args...>, Args&&...) const {}

  template <typename T>
  static Json Written(const T& value, [[maybe_unused]] double null = kNaN) {
    if constexpr (kIsVector<T>) {
      Json list = Json::array();
      for (const auto& item : value) list.push_back(Written(item, null));
      return list;
    } else if constexpr (std::is_floating_point_v<T>) {
      return NumberJson(value, null);
    } else if constexpr (JsonScalar<T>) {
      return value;
    } else {
      JsonWriter json;
      Members(json, value);
      return std::move(json.json_);
    }
  }

 private:
  Json json_ = Json::object();
};

/// Throws Error{kCorrupt} with where, member, what was expected and what was found. Members of other names are passed
/// over.
class JsonReader {
 public:
  /// `path`: of `json` in what `where` names; empty for all of it.
  JsonReader(const Json& json, std::string_view where, std::string path = "");

  void Version(const char* key, int& version, int newest, std::string_view what) const {
    version = JsonVersion(json_, key, newest, what, path_.empty() ? where_ : where_ + ": " + path_);
  }
  template <typename T>
  void Required(const char* key, T& value, double null = kNaN) const {
    Read(At(key), {key}, value, null);
  }
  /// Absent, and null where that is no value, leaves the value as it is.
  template <typename T>
  void Member(const char* key, T& value, double null = kNaN) const {
    auto it = json_.find(key);
    const bool null_is_value = std::is_floating_point_v<T> || std::same_as<T, Json> || !JsonScalar<T>;
    if (it != json_.end() && (null_is_value || !it->is_null())) Read(*it, {key}, value, null);
  }
  /// Not written where it equals `absent`, or is empty.
  template <typename T>
  void Optional(const char* key, T& value, const std::type_identity_t<T>& absent = {}) const {
    value = absent;
    Member(key, value);
  }
  template <typename T>
  void Optional(const char* key, std::optional<T>& value, double null = kNaN) const {
    value.reset();
    if (Has(key)) Member(key, value.emplace(), null);
  }
  /// Written as null where it is empty.
  void Nullable(const char* key, std::string& text) const { Member(key, text); }
  /// Written for other readers.
  template <typename T>
  void Derived(const char*, const T&) const {}
  bool Has(const char* key, bool /*has*/ = true) const { return json_.contains(key); }
  /// What a value must be beyond its type.
  template <typename... Args>
  void Expect(bool ok, const char* key, fmt::format_string<Args...> expected, Args&&... args) const {
    if (!ok) Refuse(key, fmt::format(expected, std::forward<Args>(args)...));
  }

 private:
  struct Place {
    const char* key;
    size_t index = 0;
    bool in_list = false;
  };

  template <typename T>
  void Read(const Json& json, Place place, T& value, double null) const {
    if constexpr (kIsVector<T>) {
      if (!json.is_array()) WrongType(place, "an array", json);
      value.clear();
      value.reserve(json.size());
      for (const Json& item : json) {
        const Place inside{place.key, value.size(), true};
        Read(item, inside, value.emplace_back(), null);
      }
    } else if constexpr (JsonScalar<T>) {
      if (const char* expected = Take(json, value, null)) WrongType(place, expected, json);
    } else {
      if (!json.is_object()) WrongType(place, "an object", json);
      const JsonReader members(json, where_, Path(place));
      Members(members, value);
    }
  }

  /// Null, or what was expected instead.
  static const char* Take(const Json& json, std::string& value, double null);
  static const char* Take(const Json& json, bool& value, double null);
  static const char* Take(const Json& json, int64_t& value, double null);
  static const char* Take(const Json& json, uint64_t& value, double null);
  static const char* Take(const Json& json, int32_t& value, double null);  // never below 0
  static const char* Take(const Json& json, double& value, double null);
  static const char* Take(const Json& json, float& value, double null);
  static const char* Take(const Json& json, Json& value, double null);

  const Json& At(const char* key) const;
  std::string Path(const Place& place) const;
  [[noreturn]] void WrongType(const Place& place, const char* expected, const Json& found) const;
  [[noreturn]] void Refuse(const char* key, const std::string& message) const;

  const Json& json_;
  std::string where_, path_;
};

/// A struct that is a whole JSON value.
template <typename T>
T ReadJson(const Json& json, std::string_view where) {
  T value;
  const JsonReader members(json, where);
  Members(members, value);
  return value;
}

}  // namespace assay
