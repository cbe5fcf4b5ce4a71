// What the files of this folder share: calls through the C ABI, with failures as Status.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "weir_bridge.h"

namespace weir::bridge {

// A WeirError that frees itself.
class AbiError {
 public:
  AbiError() = default;
  AbiError(const AbiError&) = delete;
  AbiError& operator=(const AbiError&) = delete;
  ~AbiError() { weir_error_free(&error_); }

  WeirError* get() { return &error_; }
  int line() const { return error_.line; }
  int column() const { return error_.column; }
  std::string view() const { return text(error_.view); }
  // Of the call that gave `code`.
  Status status(int32_t code) const;

 private:
  static std::string text(const WeirText& text) {
    return text.size == 0 ? std::string() : std::string(text.data, text.size);
  }
  WeirError error_{};
};

inline WeirSlice slice(std::string_view text) { return {text.data(), text.size()}; }

// Takes the text over.
inline std::string take(WeirText text) {
  std::string copy = text.size == 0 ? std::string() : std::string(text.data, text.size);
  weir_text_free(text);
  return copy;
}

std::string options_json(const std::map<std::string, std::string>& options);

// Frees a handle by its own function.
template <typename T, void (*Free)(T*)>
struct HandleFree {
  void operator()(T* handle) const { Free(handle); }
};

}  // namespace weir::bridge
