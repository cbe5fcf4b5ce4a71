// Goes through a JSON document without making anything of it: where its values begin and end.
#pragma once

#include <string>
#include <string_view>

namespace weir::payload {

// Everything is bounded by the end of the text. After the first failure `problem` is set and every call
// fails.
class JsonScan {
 public:
  explicit JsonScan(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  // '{' or ',' was read last, or nothing yet: the next key, with its quotes, and the ':' behind it. False at
  // the object's end, and on a problem.
  bool next_member(std::string_view& key);
  // The value that comes next, whole. Objects and arrays are checked inside too.
  bool value(std::string_view& raw);
  // Nothing but space follows.
  bool at_end();

  const char* problem() const { return problem_; }
  size_t byte() const { return static_cast<size_t>(at_ - begin_); }

 private:
  void skip_space();
  bool fail(const char* problem);
  bool skip_value(int depth);
  bool skip_string();
  bool skip_number();
  bool skip_word(std::string_view word);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* problem_ = nullptr;
  bool opened_ = false;
};

// The content of a string with its quotes, as JsonScan gives it, appended to `text`. False: half of a
// surrogate pair stands alone.
bool unescape_json(std::string_view quoted, std::string& text);

}  // namespace weir::payload
