// Protobuf descriptors from what users and registries have: .proto text, descriptor sets, base64 of a
// descriptor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "schema/schema_lookup.h"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
class FileDescriptor;
}  // namespace google::protobuf

namespace weir::protobuf {

// One schema with everything that it imports. Immutable and thread-safe; its descriptors live as long as it.
// google/protobuf/*.proto need not be given.
class ProtoSchema {
 public:
  // The text of an import, by the path that stands in the import; not_found when there is none.
  using Imports = std::function<Result<std::string>(const std::string& path)>;

  // `text` and the needed ones are .proto text or base64 of a serialized FileDescriptorProto.
  static Result<std::shared_ptr<const ProtoSchema>> from_registry(const SchemaText& schema);
  // A .proto file, or a FileDescriptorSet (`protoc --include_imports --descriptor_set_out`), whose last file
  // is the schema. `name` is for messages.
  static Result<std::shared_ptr<const ProtoSchema>> from_file(const std::string& name,
                                                              const std::string& content,
                                                              const Imports& imports);
  // What a text imports, without google/protobuf/*.proto.
  static Result<std::vector<std::string>> imports(const std::string& text);
  ~ProtoSchema();

  const google::protobuf::FileDescriptor& file() const { return *file_; }
  // By full name, also from an import; "": the first of the file.
  Result<const google::protobuf::Descriptor*> message(const std::string& full_name) const;
  // By Confluent's message indexes: of the file, then nested. Null when there is none.
  const google::protobuf::Descriptor* message_at(std::span<const int32_t> indexes) const;
  // The file as .proto text in one canonical form, and as base64 of its FileDescriptorProto.
  std::string proto_text() const;
  std::string base64() const;

 private:
  ProtoSchema();

  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  const google::protobuf::FileDescriptor* file_ = nullptr;
};

}  // namespace weir::protobuf
