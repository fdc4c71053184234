// strftime_now: what Python 3.11's datetime.strftime gives on Linux (glibc 2.36), for the formats that templates ask
// for and for those that they might.

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "jinja/template.h"

namespace assay {
namespace {

std::string At(int64_t unix_s, const std::string& format) {
  return jinja::Template::Parse("{{ strftime_now(f) }}", "time")->Render(Json{{"f", format}}, unix_s);
}

TEST(JinjaTime, WeeksAndHoursOfDaysAtTheEdges) {
  const std::string format = "%U %W %V %G %g %C %u %w %j %y|%k %l %P %h|%D %r %c";
  const struct {
    int64_t unix_s;
    const char *date, *expected;
  } rows[] = {
      {0, "1970-01-01 00:00:00",
       "00 00 01 1970 70 19 4 4 001 70| 0 12 am Jan|01/01/70 12:00:00 AM Thu Jan  1 00:00:00 1970"},
      {951825600, "2000-02-29 12:00:00",
       "09 09 09 2000 00 20 2 2 060 00|12 12 pm Feb|02/29/00 12:00:00 PM Tue Feb 29 12:00:00 2000"},
      {1672617599, "2023-01-01 23:59:59",
       "01 00 52 2022 22 20 7 0 001 23|23 11 pm Jan|01/01/23 11:59:59 PM Sun Jan  1 23:59:59 2023"},
      {1735520523, "2024-12-30 01:02:03",
       "52 53 01 2025 25 20 1 1 365 24| 1  1 am Dec|12/30/24 01:02:03 AM Mon Dec 30 01:02:03 2024"},
      {1735650000, "2024-12-31 13:00:00",
       "52 53 01 2025 25 20 2 2 366 24|13  1 pm Dec|12/31/24 01:00:00 PM Tue Dec 31 13:00:00 2024"},
      {1798794307, "2027-01-01 09:05:07",
       "00 00 53 2026 26 20 5 5 001 27| 9  9 am Jan|01/01/27 09:05:07 AM Fri Jan  1 09:05:07 2027"},
      {1609633800, "2021-01-03 00:30:00",
       "01 00 53 2020 20 20 7 0 003 21| 0 12 am Jan|01/03/21 12:30:00 AM Sun Jan  3 00:30:00 2021"},
      {1861873871, "2028-12-31 11:11:11",
       "53 52 52 2028 28 20 7 0 366 28|11 11 am Dec|12/31/28 11:11:11 AM Sun Dec 31 11:11:11 2028"},
      {4085232300, "2099-06-15 18:45:00",
       "24 24 25 2099 99 20 1 1 166 99|18  6 pm Jun|06/15/99 06:45:00 PM Mon Jun 15 18:45:00 2099"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(At(row.unix_s, format), row.expected);
    EXPECT_EQ(At(row.unix_s, "%F %T"), row.date);
  }
}

TEST(JinjaTime, FlagsWidthsAndWhatIsNoDirective) {
  const struct {
    const char *format, *expected;
  } rows[] = {
      {"%%", "%"},
      {"%n%t|", "\n\t|"},
      {"%z%Z|", "|"},
      {"%f", "000000"},
      {"%s", "1767423909"},
      {"%x %X %R %T", "01/03/26 07:05:09 07:05 07:05:09"},
      {"%-d/%-m %-H", "3/1 7"},
      {"%_d|%_H", " 3| 7"},
      {"%0e|%0k", "03|07"},
      {"%5d|%-5d|%_5d|%05d", "00003|    3|    3|00003"},
      {"%^a %^B %#b %#p %#P %^P %^p", "SAT JANUARY JAN am am am AM"},
      {"%30c", "      Sat Jan  3 07:05:09 2026"},
      {"%030c", "000000Sat Jan  3 07:05:09 2026"},
      {"%Ey %EY %Od %OV", "26 2026 03 01"},
      {"%Ed|%Oa|%EQ", "%Ed|%Oa|%EQ"},
      {"%Q %5Q %i", "%Q   %5Q %i"},
      {"%", "%"},
      {"100%", "100%"},
      {"%-", "%-"},
      {"%%z", "%z"},
      {"%-f", "%-f"},
      {"%5Z|%5z|", "     ||"},
      {"%^c", "SAT JAN  3 07:05:09 2026"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(At(1767423909, row.format), row.expected) << row.format;  // 2026-01-03 07:05:09
  EXPECT_EQ(At(1767423909, "%:z|"), "|");                               // since Python 3.12
}

TEST(JinjaTime, AWidthIsBounded) {
  EXPECT_EQ(At(0, "%1024d").size(), 1024u);
  for (const char* format : {"%1025d", "%99999999999999999999d", "%2000Q"})
    EXPECT_THROW(At(0, format), Error) << format;
}

}  // namespace
}  // namespace assay
