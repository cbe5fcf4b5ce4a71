#include "formats/protobuf/proto_schema.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"

namespace weir::protobuf {
namespace {

namespace pb = google::protobuf;

constexpr int kMostNesting = 64;  // of braces in a .proto text: the parser is recursive
constexpr size_t kMostFiles = 1000;
constexpr int kMostImportDepth = 64;

std::string place(const std::string& file, int line, int column) {
  if (line < 0) return file;
  return file + ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
}

// Keeps the first error only: the others often follow from it.
class FirstError final : public pb::io::ErrorCollector, public pb::DescriptorPool::ErrorCollector {
 public:
  explicit FirstError(std::string file) : file_(std::move(file)) {}

  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = place(file_, line, column) + ": " + message;
  }
  void AddError(const std::string&, const std::string& element, const pb::Message* descriptor,
                ErrorLocation location, const std::string& message) override {
    if (!text_.empty()) return;
    int line = -1, column = -1;
    if (locations_ != nullptr && descriptor != nullptr) {
      locations_->Find(descriptor, location, &line, &column);
    }
    text_ = place(file_, line, column) + ": " + element + ": " + message;
  }
  void AddWarning(int, int, const std::string&) override {}
  void AddWarning(const std::string&, const std::string&, const pb::Message*, ErrorLocation,
                  const std::string&) override {}
  void locate_with(const pb::compiler::SourceLocationTable* locations) { locations_ = locations; }
  Status status(const std::string& otherwise) const {
    return Status::invalid(text_.empty() ? file_ + ": " + otherwise : text_);
  }

 private:
  std::string file_;
  std::string text_;
  const pb::compiler::SourceLocationTable* locations_ = nullptr;
};

// Braces, brackets and parentheses that are open at once, outside comments and strings.
int nesting_of(const std::string& text) {
  int depth = 0, most = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (c == '/' && next == '/') {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '/' && next == '*') {
      const size_t end = text.find("*/", i + 2);
      i = end == std::string::npos ? text.size() : end + 1;
    } else if (c == '"' || c == '\'') {
      for (++i; i < text.size() && text[i] != c && text[i] != '\n'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (c == '{' || c == '[' || c == '(' || c == '<') {
      most = std::max(most, ++depth);
    } else if (c == '}' || c == ']' || c == ')' || c == '>') {
      --depth;
    }
  }
  return most;
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Not base64 at all: false. No .proto text is base64: it has a ';' or a brace.
bool decode_base64(const std::string& text, std::string* bytes) {
  uint32_t bits = 0;
  int count = 0;
  bool padded = false;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ') continue;
    if (c == '=') {
      padded = true;
      continue;
    }
    const size_t value = kBase64.find(c);
    if (value == std::string_view::npos || padded) return false;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes->push_back(static_cast<char>(bits >> count));
    }
  }
  return !bytes->empty();
}

std::string encode_base64(const std::string& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = (bits << 8) | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    }
    for (int shift = 18; shift >= 0; shift -= 6) text.push_back(kBase64[(bits >> shift) & 63]);
  }
  for (size_t i = bytes.size() % 3; i != 0 && i < 3; ++i) text[text.size() - (3 - i)] = '=';
  return text;
}

// Files and what they import, each built after those that it needs.
class Builder {
 public:
  Builder(pb::DescriptorPool& pool, const ProtoSchema::Imports& imports) : pool_(pool), imports_(imports) {}

  // A file that is there already; imports find it by its name.
  void add(pb::FileDescriptorProto file) {
    const std::string name = file.name();
    known_.emplace(name, std::move(file));
  }

  Result<const pb::FileDescriptor*> build(const std::string& name, int depth = 0) {
    if (const pb::FileDescriptor* built = pool_.FindFileByName(name)) return built;
    if (depth > kMostImportDepth) return Status::invalid("imports are nested too deeply at '" + name + "'");
    if (!open_.insert(name).second) return Status::invalid("'" + name + "' imports itself");
    if (open_.size() + ++files_ > kMostFiles) return Status::invalid("more than 1000 imports");
    pb::compiler::SourceLocationTable locations;
    WEIR_ASSIGN(const pb::FileDescriptorProto file, find(name, &locations));
    for (const std::string& needed : file.dependency()) {
      auto built = build(needed, depth + 1);
      if (!built.ok()) return built.status();
    }
    open_.erase(name);
    FirstError error(name);
    error.locate_with(&locations);
    const pb::FileDescriptor* built = pool_.BuildFileCollectingErrors(file, &error);
    if (built == nullptr) return error.status("not a valid schema");
    return built;
  }

  static Result<pb::FileDescriptorProto> parse(const std::string& name, const std::string& text,
                                               pb::compiler::SourceLocationTable* locations) {
    const pb::LogSilencer no_warnings;
    pb::FileDescriptorProto file;
    std::string bytes;
    if (decode_base64(text, &bytes)) {
      if (!file.ParsePartialFromString(bytes) || !file.IsInitialized()) {
        return Status::invalid(name + ": base64 that holds no FileDescriptorProto");
      }
      file.set_name(name);
      return file;
    }
    if (nesting_of(text) > kMostNesting) {
      return Status::invalid(name + ": nested more than " + std::to_string(kMostNesting) + " deep");
    }
    FirstError error(name);
    pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
    pb::io::Tokenizer tokenizer(&stream, &error);
    pb::compiler::Parser parser;
    parser.RecordErrorsTo(&error);
    parser.RecordSourceLocationsTo(locations);
    if (!parser.Parse(&tokenizer, &file)) return error.status("not a .proto file");
    file.set_name(name);
    return file;
  }

 private:
  Result<pb::FileDescriptorProto> find(const std::string& name,
                                       pb::compiler::SourceLocationTable* locations) {
    const auto known = known_.find(name);
    if (known != known_.end()) return std::move(known->second);
    if (imports_) {
      auto text = imports_(name);
      if (text.ok()) return parse(name, *text, locations);
      if (text.status().code() != Code::not_found) return text.status();
    }
    if (const pb::FileDescriptor* built_in = pb::DescriptorPool::generated_pool()->FindFileByName(name)) {
      pb::FileDescriptorProto file;
      built_in->CopyTo(&file);
      return file;
    }
    return Status::invalid("the import \"" + name + "\" was not found");
  }

  pb::DescriptorPool& pool_;
  const ProtoSchema::Imports& imports_;
  std::map<std::string, pb::FileDescriptorProto> known_;
  std::set<std::string> open_;
  size_t files_ = 0;
};

void add_names(const pb::Descriptor& message, std::vector<std::string>* names) {
  if (message.options().map_entry()) return;
  names->push_back(message.full_name());
  for (int i = 0; i < message.nested_type_count(); ++i) add_names(*message.nested_type(i), names);
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

ProtoSchema::ProtoSchema() : pool_(std::make_unique<pb::DescriptorPool>()) {}
ProtoSchema::~ProtoSchema() = default;

Result<std::shared_ptr<const ProtoSchema>> ProtoSchema::from_registry(const SchemaText& schema) {
  const Imports needed = [&schema](const std::string& path) -> Result<std::string> {
    for (const SchemaText::Needed& entry : schema.needed) {
      if (entry.name == path) return entry.text;
    }
    return Status(Code::not_found, path);
  };
  if (schema.text.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Status::invalid("the schema is empty");
  }
  std::shared_ptr<ProtoSchema> result(new ProtoSchema());
  Builder builder(*result->pool_, needed);
  // No import can have this name.
  const std::string name = "schema";
  pb::compiler::SourceLocationTable locations;
  WEIR_ASSIGN(pb::FileDescriptorProto file, Builder::parse(name, schema.text, &locations));
  for (const std::string& needed_file : file.dependency()) {
    auto built = builder.build(needed_file);
    if (!built.ok()) return built.status();
  }
  FirstError error(name);
  error.locate_with(&locations);
  result->file_ = result->pool_->BuildFileCollectingErrors(file, &error);
  if (result->file_ == nullptr) return error.status("not a valid schema");
  return std::shared_ptr<const ProtoSchema>(std::move(result));
}

Result<std::shared_ptr<const ProtoSchema>> ProtoSchema::from_file(const std::string& name,
                                                                  const std::string& content,
                                                                  const Imports& imports) {
  std::shared_ptr<ProtoSchema> result(new ProtoSchema());
  Builder builder(*result->pool_, imports);
  std::string main_file = name;
  pb::FileDescriptorSet set;
  if (!ends_with(name, ".proto") && set.ParsePartialFromString(content) && set.file_size() > 0) {
    if (!set.IsInitialized()) return Status::invalid(name + ": not a whole descriptor set");
    main_file = set.file(set.file_size() - 1).name();
    for (pb::FileDescriptorProto& file : *set.mutable_file()) builder.add(std::move(file));
  } else {
    pb::compiler::SourceLocationTable locations;
    WEIR_ASSIGN(pb::FileDescriptorProto file, Builder::parse(name, content, &locations));
    builder.add(std::move(file));
  }
  auto built = builder.build(main_file);
  if (!built.ok()) return built.status();
  result->file_ = *built;
  return std::shared_ptr<const ProtoSchema>(std::move(result));
}

Result<std::vector<std::string>> ProtoSchema::imports(const std::string& text) {
  pb::compiler::SourceLocationTable locations;
  WEIR_ASSIGN(const pb::FileDescriptorProto file, Builder::parse("schema", text, &locations));
  std::vector<std::string> paths;
  for (const std::string& path : file.dependency()) {
    if (path.rfind("google/protobuf/", 0) != 0) paths.push_back(path);
  }
  return paths;
}

Result<const pb::Descriptor*> ProtoSchema::message(const std::string& full_name) const {
  std::vector<std::string> names;
  for (int i = 0; i < file_->message_type_count(); ++i) add_names(*file_->message_type(i), &names);
  if (names.empty()) return Status::invalid(file_->name() + " has no message");
  if (full_name.empty()) return file_->message_type(0);
  if (const pb::Descriptor* found = pool_->FindMessageTypeByName(full_name)) return found;
  return Status::invalid("there is no message '" + full_name + "' in " + file_->name() + "." +
                         suggestion(full_name, names));
}

const pb::Descriptor* ProtoSchema::message_at(std::span<const int32_t> indexes) const {
  const pb::Descriptor* message = nullptr;
  for (size_t i = 0; i < indexes.size(); ++i) {
    const int count = i == 0 ? file_->message_type_count() : message->nested_type_count();
    if (indexes[i] < 0 || indexes[i] >= count) return nullptr;
    message = i == 0 ? file_->message_type(indexes[i]) : message->nested_type(indexes[i]);
  }
  return message;
}

std::string ProtoSchema::proto_text() const { return file_->DebugString(); }

std::string ProtoSchema::base64() const {
  pb::FileDescriptorProto file;
  file_->CopyTo(&file);
  return encode_base64(file.SerializeAsString());
}

}  // namespace weir::protobuf
