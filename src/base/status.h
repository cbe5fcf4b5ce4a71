// Status and Result<T>: how operations fail in Weir.
//
// Three lanes (see ARCHITECTURE.md): a bad row is an ErrorRecord and goes to the error lake; a failed
// operation is a Status that says whether a retry can help; a programmer's error is WEIR_CHECK.
// Exceptions of third-party code are caught where that code is called.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

enum class Code {
  ok,
  invalid,         // the user's file, option, SQL or data is wrong; a retry cannot help
  not_found,       // the named thing does not exist
  already_exists,  // put-if-absent lost, or the name is taken
  conflict,        // another writer was first: reload and decide again
  unavailable,     // a server or disk did not answer, or the outcome is unknown: retry with back-off
  denied,          // credentials or permissions
  exhausted,       // disk full, memory or a bound reached
  cancelled,       // the caller asked to stop
  schema_changed,  // the columns that were planned with are out of date: plan anew
  lost_ownership,  // another worker moved this pipeline's positions: drop uncommitted work, seek anew
  internal,        // a bug in Weir or in a library
};

const char* code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status invalid(std::string message) { return {Code::invalid, std::move(message)}; }
  static Status internal(std::string message) { return {Code::internal, std::move(message)}; }
  static Status unavailable(std::string message) { return {Code::unavailable, std::move(message)}; }

  bool ok() const { return code_ == Code::ok; }
  Code code() const { return code_; }
  // What happened, where, and what to do. Never holds a secret.
  const std::string& message() const { return message_; }
  bool retryable() const { return code_ == Code::unavailable || code_ == Code::conflict; }
  // The same failure with `context` put in front: "context: message".
  Status with_context(std::string_view context) const;

 private:
  Code code_ = Code::ok;
  std::string message_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: implicit on purpose

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace weir

#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` (a Status) has failed.
#define WEIR_TRY(expression)                     \
  do {                                           \
    ::weir::Status weir_status_ = (expression);  \
    if (!weir_status_.ok()) return weir_status_; \
  } while (false)

// WEIR_ASSIGN(auto x, f()): returns from the enclosing function when the Result has failed.
#define WEIR_ASSIGN(declaration, expression) \
  WEIR_ASSIGN_INNER(WEIR_CONCAT(weir_result_, __LINE__), declaration, expression)
#define WEIR_ASSIGN_INNER(name, declaration, expression) \
  auto name = (expression);                              \
  if (!name.ok()) return name.status();                  \
  declaration = *std::move(name)

// A broken promise inside Weir: says where and ends the process (nothing uncommitted is lost: it is read
// again).
#define WEIR_CHECK(condition, message)                                                     \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: CHECK %s failed: %s\n", __FILE__, __LINE__, #condition, \
                   std::string(message).c_str());                                          \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
