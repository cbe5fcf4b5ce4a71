#include "formats/time_text.h"

#include "formats/scan.h"

namespace weir {
namespace {

// -1 when they are not both digits.
int two_digits(const char* at) {
  const unsigned tens = static_cast<unsigned char>(at[0]) - '0';
  const unsigned ones = static_cast<unsigned char>(at[1]) - '0';
  return tens < 10 && ones < 10 ? static_cast<int>(tens * 10 + ones) : -1;
}

// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
int64_t days_from_civil(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

int days_in_month(int year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

constexpr int64_t kPowers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

// Reads a time from the front of `text` and leaves what follows it.
TimeOutcome take_time(std::string_view* text, int fraction_digits, int64_t* seconds, int64_t* fraction) {
  const char* at = text->data();
  if (text->size() < 5 || at[2] != ':') return TimeOutcome::not_iso;
  const int hour = two_digits(at);
  const int minute = two_digits(at + 3);
  int second = 0;
  size_t used = 5;
  *fraction = 0;
  TimeOutcome outcome = TimeOutcome::ok;
  if (text->size() >= 8 && at[5] == ':') {
    second = two_digits(at + 6);
    used = 8;
    if (text->size() > 8 && at[8] == '.') {
      int digits = 0;
      int64_t value = 0;
      for (used = 9; used < text->size() && is_digit(at[used]); ++used) {
        if (digits < fraction_digits) {
          value = value * 10 + (at[used] - '0');
          ++digits;
        } else if (at[used] != '0') {
          outcome = TimeOutcome::too_precise;
        }
      }
      if (used == 9) return TimeOutcome::not_iso;
      *fraction = value * kPowers[fraction_digits - digits];
    }
  }
  if (hour < 0 || minute < 0 || second < 0 || hour > 23 || minute > 59 || second > 59)
    return TimeOutcome::not_iso;
  *seconds = hour * 3600 + minute * 60 + second;
  text->remove_prefix(used);
  return outcome;
}

// "Z", "+hh", "+hhmm", "+hh:mm" -> seconds east of UTC.
bool parse_offset(std::string_view text, int64_t* seconds) {
  *seconds = 0;
  if (text == "Z" || text == "z") return true;
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return false;
  const int hours = two_digits(text.data() + 1);
  int minutes = 0;
  if (text.size() == 5) {
    minutes = two_digits(text.data() + 3);
  } else if (text.size() == 6 && text[3] == ':') {
    minutes = two_digits(text.data() + 4);
  } else if (text.size() != 3) {
    return false;
  }
  if (hours < 0 || hours > 18 || minutes < 0 || minutes > 59) return false;
  *seconds = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
  return true;
}

}  // namespace

TimeOutcome parse_date(std::string_view text, int64_t* days) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return TimeOutcome::not_iso;
  const int century = two_digits(text.data());
  const int year_of_century = two_digits(text.data() + 2);
  const int month = two_digits(text.data() + 5);
  const int day = two_digits(text.data() + 8);
  if (century < 0 || year_of_century < 0 || month < 1 || month > 12) return TimeOutcome::not_iso;
  const int year = century * 100 + year_of_century;
  if (year < 1 || day < 1 || day > days_in_month(year, month)) return TimeOutcome::not_iso;
  *days = days_from_civil(year, month, day);
  return TimeOutcome::ok;
}

TimeOutcome parse_time(std::string_view text, int fraction_digits, int64_t* units) {
  int64_t seconds = 0;
  int64_t fraction = 0;
  const TimeOutcome outcome = take_time(&text, fraction_digits, &seconds, &fraction);
  if (outcome == TimeOutcome::not_iso || !text.empty()) return TimeOutcome::not_iso;
  *units = seconds * kPowers[fraction_digits] + fraction;
  return outcome;
}

TimeOutcome parse_after_date(std::string_view text, int64_t days, int fraction_digits, int64_t* units) {
  if (text.empty() || (text[0] != 'T' && text[0] != ' ' && text[0] != 't')) return TimeOutcome::not_iso;
  text.remove_prefix(1);
  int64_t seconds = 0;
  int64_t fraction = 0;
  const TimeOutcome outcome = take_time(&text, fraction_digits, &seconds, &fraction);
  if (outcome == TimeOutcome::not_iso) return outcome;
  int64_t offset = 0;
  if (!text.empty() && !parse_offset(text, &offset)) return TimeOutcome::not_iso;
  if (outcome != TimeOutcome::ok) return outcome;
  const int64_t total = days * 86400 + seconds - offset;
  const __int128 exact = static_cast<__int128>(total) * kPowers[fraction_digits] + fraction;
  *units = static_cast<int64_t>(exact);
  return *units == exact ? TimeOutcome::ok : TimeOutcome::out_of_range;
}

}  // namespace weir
