#include "checkpoint/position_store.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

class MemoryObjects final : public ObjectStore {
 public:
  Status put(const std::string& path, std::string_view bytes) override {
    objects[path] = std::string(bytes);
    return {};
  }
  Status put_if_absent(const std::string& path, std::string_view bytes) override {
    if (!objects.emplace(path, std::string(bytes)).second) return {Code::already_exists, path};
    return {};
  }
  Result<std::string> get(const std::string& path) override {
    auto found = objects.find(path);
    if (found == objects.end()) return Status(Code::not_found, path);
    return found->second;
  }
  Result<std::vector<std::string>> list(const std::string&) override { return std::vector<std::string>{}; }
  Status remove(const std::string& path) override {
    objects.erase(path);
    return {};
  }
  Result<std::unique_ptr<ObjectWriter>> open_writer(const std::string&) override {
    return Status(Code::internal, "not used here");
  }

  std::map<std::string, std::string> objects;
};

TEST(PositionStore, KeepsWhatWasSavedAndWhatWasNotTouched) {
  MemoryObjects objects;
  PositionStore store(objects, "orders", "a");
  EXPECT_TRUE(store.load().ok());
  EXPECT_TRUE((*store.load()).empty());
  ASSERT_TRUE(store.save({{"weir/orders/a/0", 5}, {"weir/orders/a/1", 7}}).ok());
  ASSERT_TRUE(store.save({{"weir/orders/a/1", 9}}).ok());
  std::map<std::string, int64_t> expected = {{"weir/orders/a/0", 5}, {"weir/orders/a/1", 9}};
  EXPECT_EQ(*PositionStore(objects, "orders", "a").load(), expected);
  EXPECT_TRUE(objects.objects.count("orders/positions/a.json"));
}

TEST(PositionStore, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"", "{", "[]", "{}", R"({"format":"weir-positions"})",
                           R"({"format":"weir-positions","version":2,"positions":{}})",
                           R"({"format":"weir-positions","version":1})",
                           R"({"format":"weir-positions","version":1,"positions":{"a":1.5}})"}) {
    MemoryObjects objects;
    objects.objects["p/positions/s.json"] = text;
    PositionStore store(objects, "p", "s");
    EXPECT_EQ(store.load().status().code(), Code::invalid) << text;
    EXPECT_EQ(store.save({{"a", 1}}).code(), Code::invalid) << text;
    EXPECT_EQ(objects.objects["p/positions/s.json"], text);  // never overwritten
  }
}

}  // namespace
}  // namespace weir
