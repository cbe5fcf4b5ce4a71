#include "formats/csv/record.h"

namespace weir::csv {
namespace {

bool fail(ErrorRecord& error, size_t byte, const char* message) {
  error.code = ErrorCode::malformed;
  error.byte = static_cast<int64_t>(byte);
  error.message = message;
  return false;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

RecordReader::RecordReader(Dialect dialect) : dialect_(dialect) {
  for (const char c : {dialect.delimiter, '\n', '\r'}) special_[static_cast<uint8_t>(c)] = true;
  if (dialect.quoting) special_[static_cast<uint8_t>(dialect.quote)] = true;
}

void RecordReader::begin(std::string_view payload) {
  if (payload.ends_with('\n')) payload.remove_suffix(1);
  if (payload.ends_with('\r')) payload.remove_suffix(1);
  record_ = payload;
  at_ = 0;
  ended_ = false;
}

bool RecordReader::next(Field& field, ErrorRecord& error) {
  if (dialect_.trim) {
    while (at_ < record_.size() && is_blank(record_[at_]) && record_[at_] != dialect_.delimiter) ++at_;
  }
  field.byte = at_;
  field.quoted = dialect_.quoting && at_ < record_.size() && record_[at_] == dialect_.quote;
  if (field.quoted) {
    if (!quoted(field, error)) return false;
    if (dialect_.trim) {
      while (at_ < record_.size() && is_blank(record_[at_]) && record_[at_] != dialect_.delimiter) ++at_;
    }
    if (at_ < record_.size() && record_[at_] != dialect_.delimiter) {
      return fail(error, at_, "something stands between a closing quote and the next delimiter");
    }
  } else {
    const char* const begin = record_.data() + at_;
    const char* const end = record_.data() + record_.size();
    const char* at = begin;
    while (at != end && !special_[static_cast<uint8_t>(*at)]) ++at;
    at_ = static_cast<size_t>(at - record_.data());
    if (at != end && *at != dialect_.delimiter) {
      return fail(error, at_,
                  *at == dialect_.quote && dialect_.quoting
                      ? "a quote inside a field that does not begin with one"
                      : "a line end inside the record: an event is one record, and only quoted fields may "
                        "hold line ends");
    }
    field.text = {begin, static_cast<size_t>(at - begin)};
    while (dialect_.trim && !field.text.empty() && is_blank(field.text.back())) field.text.remove_suffix(1);
  }
  ended_ = at_ == record_.size();
  ++at_;  // the delimiter; a field follows it, though it may be empty
  return true;
}

bool RecordReader::quoted(Field& field, ErrorRecord& error) {
  const size_t begin = ++at_;
  bool changed = false;
  for (;; ++at_) {
    if (at_ >= record_.size()) return fail(error, field.byte, "a quoted field that does not end");
    const char c = record_[at_];
    const bool escaped = dialect_.escape != 0 && c == dialect_.escape && c != dialect_.quote;
    if (!escaped && c != dialect_.quote) {
      if (changed) unquoted_ += c;
      continue;
    }
    const bool more = at_ + 1 < record_.size();
    if (!escaped && (!more || record_[at_ + 1] != dialect_.quote)) break;
    if (!more) return fail(error, field.byte, "a quoted field that does not end");
    if (!changed) unquoted_.assign(record_, begin, at_ - begin);
    changed = true;
    unquoted_ += record_[++at_];
  }
  field.text = changed ? std::string_view(unquoted_) : record_.substr(begin, at_ - begin);
  ++at_;
  return true;
}

}  // namespace weir::csv
