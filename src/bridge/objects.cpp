#include "base/objects.h"

#include <nlohmann/json.hpp>

#include "bridge/abi.h"
#include "bridge/bridge.h"

namespace weir::bridge {

namespace {

using nlohmann::json;
using ObjectsHandle = std::unique_ptr<WeirObjects, HandleFree<WeirObjects, weir_objects_free>>;
using WriterHandle = std::unique_ptr<WeirObjectWriter, HandleFree<WeirObjectWriter, weir_writer_free>>;

class S3Writer final : public ObjectWriter {
 public:
  explicit S3Writer(WriterHandle handle) : handle_(std::move(handle)) {}

  Status write(std::string_view bytes) override {
    AbiError error;
    return error.status(weir_writer_write(handle_.get(), slice(bytes), error.get()));
  }
  Status close() override {
    AbiError error;
    return error.status(weir_writer_close(handle_.get(), error.get()));
  }

 private:
  WriterHandle handle_;
};

class S3Objects final : public ObjectStore {
 public:
  explicit S3Objects(ObjectsHandle handle) : handle_(std::move(handle)) {}

  Status put(const std::string& path, std::string_view bytes) override { return put(path, bytes, false); }
  Status put_if_absent(const std::string& path, std::string_view bytes) override {
    return put(path, bytes, true);
  }

  Result<std::string> get(const std::string& path) override {
    AbiError error;
    WeirText text{};
    WEIR_TRY(error.status(weir_objects_get(handle_.get(), slice(path), &text, error.get())));
    return take(text);
  }

  Result<ObjectTail> tail(const std::string& path, size_t most) override {
    AbiError error;
    WeirText text{};
    ObjectTail result;
    WEIR_TRY(
        error.status(weir_objects_tail(handle_.get(), slice(path), most, &result.size, &text, error.get())));
    result.bytes = take(text);
    return result;
  }

  Result<std::vector<std::string>> list(const std::string& prefix) override {
    AbiError error;
    WeirText text{};
    WEIR_TRY(error.status(weir_objects_list(handle_.get(), slice(prefix), &text, error.get())));
    return json::parse(take(text)).get<std::vector<std::string>>();
  }

  Status remove(const std::string& path) override {
    AbiError error;
    return error.status(weir_objects_remove(handle_.get(), slice(path), error.get()));
  }

  Result<std::unique_ptr<ObjectWriter>> open_writer(const std::string& path) override {
    AbiError error;
    WeirObjectWriter* raw = nullptr;
    WEIR_TRY(error.status(weir_objects_writer(handle_.get(), slice(path), &raw, error.get())));
    return std::unique_ptr<ObjectWriter>(std::make_unique<S3Writer>(WriterHandle(raw)));
  }

 private:
  Status put(const std::string& path, std::string_view bytes, bool if_absent) {
    AbiError error;
    return error.status(weir_objects_put(handle_.get(), slice(path), slice(bytes), if_absent, error.get()));
  }

  ObjectsHandle handle_;
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_s3_objects(const std::string& uri, const StorageOptions& storage) {
  AbiError error;
  WeirObjects* raw = nullptr;
  WEIR_TRY(error.status(weir_objects_open(slice(uri), slice(options_json(storage)), &raw, error.get())));
  return std::unique_ptr<ObjectStore>(std::make_unique<S3Objects>(ObjectsHandle(raw)));
}

}  // namespace weir::bridge
