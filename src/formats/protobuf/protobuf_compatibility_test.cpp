#include "formats/protobuf/protobuf_compatibility.h"

#include <gtest/gtest.h>

#include "formats/protobuf/proto_schema.h"

namespace weir {
namespace {

SchemaText text(const std::string& proto, std::vector<SchemaText::Needed> needed = {}) {
  return {SchemaKind::protobuf, proto, std::move(needed)};
}

SchemaText proto3(const std::string& body) { return text("syntax = \"proto3\"; package p; " + body); }
SchemaText proto2(const std::string& body) { return text("syntax = \"proto2\"; package p; " + body); }

// The types of the incompatibilities, separated by spaces.
std::string types(const SchemaText& reader, const SchemaText& writer) {
  auto found = protobuf_incompatibilities(reader, writer);
  if (!found.ok()) return found.status().message();
  std::string names;
  for (const std::string& entry : *found)
    names += (names.empty() ? "" : " ") + entry.substr(0, entry.find(' '));
  return names;
}

TEST(ProtobufCompatibility, FieldsMayComeAndGo) {
  const SchemaText v1 = proto3("message M { int32 a = 1; }");
  const SchemaText v2 =
      proto3("message M { int64 renamed = 1; string b = 2; oneof o { bool c = 3; } enum E { X = 0; } }");
  EXPECT_EQ(types(v2, v1), "");
  EXPECT_EQ(types(v1, v2), "");
  EXPECT_EQ(types(v1, v1), "");
}

TEST(ProtobufCompatibility, ScalarsChangeWithinTheirGroup) {
  const auto change = [](const std::string& from, const std::string& to) {
    const auto message = [](const std::string& type) {
      return proto3("message M { " + type + " a = 1; } enum E { X = 0; }");
    };
    return types(message(to), message(from));
  };
  for (const char* same : {"int32>uint64", "bool>int64", "E>int32", "string>bytes", "fixed32>sfixed32",
                           "fixed64>sfixed64", "sint32>sint64", "string>repeated string"}) {
    const std::string pair = same;
    EXPECT_EQ(change(pair.substr(0, pair.find('>')), pair.substr(pair.find('>') + 1)), "") << same;
  }
  for (const char* other :
       {"int32>sint32", "int32>string", "float>double", "fixed32>fixed64", "int32>fixed32"}) {
    const std::string pair = other;
    EXPECT_EQ(change(pair.substr(0, pair.find('>')), pair.substr(pair.find('>') + 1)),
              "FIELD_SCALAR_KIND_CHANGED")
        << other;
  }
  EXPECT_EQ(change("int32", "repeated int32"), "FIELD_NUMERIC_LABEL_CHANGED");
  EXPECT_EQ(change("int32", "map<int32, int32>"), "FIELD_KIND_CHANGED");
  EXPECT_EQ(change("map<int32, string>", "map<string, string>"), "FIELD_SCALAR_KIND_CHANGED");
}

TEST(ProtobufCompatibility, MessagesAndRequiredFields) {
  EXPECT_EQ(types(proto3("message A {}"), proto3("message A {} message B {}")), "MESSAGE_REMOVED");
  EXPECT_EQ(types(proto3("message A {} message B {}"), proto3("message A {}")), "");
  EXPECT_EQ(types(proto3("message B {} message A {}"), proto3("message A {} message B {}")), "");
  EXPECT_EQ(types(proto3("message A { message N { string x = 1; } }"),
                  proto3("message A { message N { int32 x = 1; } }")),
            "FIELD_SCALAR_KIND_CHANGED");
  EXPECT_EQ(types(proto3("message A { C x = 1; } message B {} message C {}"),
                  proto3("message A { B x = 1; } message B {} message C {}")),
            "FIELD_NAMED_TYPE_CHANGED");
  EXPECT_EQ(types(text("syntax = \"proto3\"; package q; message A {}"), proto3("message A {}")),
            "PACKAGE_CHANGED");
  EXPECT_EQ(types(proto2("message A { required int32 a = 1; }"), proto2("message A {}")),
            "REQUIRED_FIELD_ADDED");
  EXPECT_EQ(types(proto2("message A {}"), proto2("message A { required int32 a = 1; }")),
            "REQUIRED_FIELD_REMOVED");
  EXPECT_EQ(types(proto3("message A { A a = 1; map<string, A> b = 2; }"), proto3("message A { A a = 1; }")),
            "");
}

TEST(ProtobufCompatibility, Oneofs) {
  const SchemaText apart = proto3("message A { int32 a = 1; int32 b = 2; }");
  EXPECT_EQ(types(proto3("message A { oneof o { int32 a = 1; int32 b = 2; } }"), apart),
            "MULTIPLE_FIELDS_MOVED_TO_ONEOF");
  EXPECT_EQ(types(proto3("message A { oneof o { int32 a = 1; } int32 b = 2; }"), apart), "");
  const SchemaText one = proto3("message A { oneof o { int32 a = 1; } int32 b = 2; }");
  EXPECT_EQ(types(proto3("message A { oneof o { int32 a = 1; int32 b = 2; } }"), one),
            "FIELD_MOVED_TO_EXISTING_ONEOF");
  EXPECT_EQ(types(proto3("message A { oneof o { int32 c = 3; } int32 b = 2; }"), one), "ONEOF_FIELD_REMOVED");
  EXPECT_EQ(types(proto3("message A { oneof o { string a = 1; } }"), one), "FIELD_SCALAR_KIND_CHANGED");
  EXPECT_EQ(types(proto3("message A { optional int32 a = 1; optional int32 b = 2; }"), apart), "");
}

TEST(ProtobufCompatibility, ImportsAreComparedToo) {
  const std::string importing = "syntax = \"proto3\"; import \"d/n.proto\"; message A { n.N x = 1; }";
  const auto with = [&](const std::string& type) {
    return text(importing,
                {{"d/n.proto", "syntax = \"proto3\"; package n; message N { " + type + " y = 1; }"}});
  };
  EXPECT_EQ(types(with("int64"), with("int32")), "");
  EXPECT_EQ(types(with("string"), with("int32")), "FIELD_SCALAR_KIND_CHANGED FIELD_NAMED_TYPE_CHANGED");
}

TEST(ProtobufSchema, TextAndBase64AreTheSame) {
  const SchemaText written = proto3(
      "import \"google/protobuf/timestamp.proto\"; // words\n message A { google.protobuf.Timestamp at = 1; "
      "}");
  auto base64 = serialized_protobuf_schema(written);
  ASSERT_TRUE(base64.ok()) << base64.status().message();
  EXPECT_TRUE(check_protobuf_schema(text(*base64)).ok());
  EXPECT_EQ(*canonical_protobuf_text(text(*base64)), *canonical_protobuf_text(written));
  EXPECT_TRUE(check_protobuf_schema(text(*canonical_protobuf_text(written))).ok());
  EXPECT_EQ(types(text(*base64), written), "");
  EXPECT_EQ(canonical_protobuf_text(written)->find("words"), std::string::npos);
}

TEST(ProtobufSchema, ProblemsHaveAPlace) {
  const auto problem = [](const SchemaText& schema) { return check_protobuf_schema(schema).message(); };
  EXPECT_EQ(problem(text("")), "the schema is empty");
  EXPECT_NE(problem(text("syntax = \"proto3\";\nmessage A { int32 }")).find("schema:2:"), std::string::npos);
  EXPECT_NE(problem(text("syntax = \"proto3\";\nmessage A { B b = 1; }")).find("\"B\" is not defined"),
            std::string::npos);
  EXPECT_NE(problem(text("import \"x.proto\";")).find("\"x.proto\" was not found"), std::string::npos);
  EXPECT_NE(problem(text("AAAA")).find("no FileDescriptorProto"), std::string::npos);
  EXPECT_NE(problem(text("message A { optional int32 a = 1; optional int32 b = 1; }")), "");
  EXPECT_NE(problem(text("syntax = \"proto9\"; message A {}")), "");
  const SchemaText circle = text("import \"x\";", {{"x", "import \"y\";"}, {"y", "import \"x\";"}});
  EXPECT_NE(problem(circle).find("imports itself"), std::string::npos);
  std::string deep = "syntax = \"proto3\";";
  for (int i = 0; i < 100000; ++i) deep += "message A { // }\n";
  EXPECT_NE(problem(text(deep)).find("nested more than"), std::string::npos);
}

TEST(ProtobufSchema, ImportsAreListed) {
  auto imports = protobuf_imports(
      "syntax = \"proto3\"; import \"a/b.proto\"; import public \"c.proto\"; import "
      "\"google/protobuf/any.proto\";");
  ASSERT_TRUE(imports.ok());
  EXPECT_EQ(*imports, (std::vector<std::string>{"a/b.proto", "c.proto"}));
  EXPECT_FALSE(protobuf_imports("message {").ok());
}

}  // namespace
}  // namespace weir
