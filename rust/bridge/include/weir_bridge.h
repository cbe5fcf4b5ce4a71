// The C ABI of rust/bridge. Included by src/bridge/ only.
//
// What crosses: Arrow C Data and Stream structs, opaque handles (one free function each), plain structs, UTF-8.
// Every function but the free functions returns 0, or a WeirCode that is also in `error`; outputs are then untouched.
// No function unwinds: a panic becomes WEIR_INTERNAL. Arrow structs passed in are taken over (released by the
// callee).
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ArrowArray;
struct ArrowArrayStream;
struct ArrowSchema;

enum WeirCode {
  WEIR_OK = 0,
  WEIR_INVALID = 1,
  WEIR_NOT_FOUND = 2,
  WEIR_ALREADY_EXISTS = 3,
  WEIR_CONFLICT = 4,
  WEIR_UNAVAILABLE = 5,
  WEIR_DENIED = 6,
  WEIR_EXHAUSTED = 7,
  WEIR_INTERNAL = 8,
};

// Bytes lent by the caller for the length of a call.
struct WeirSlice {
  const char* data;
  size_t size;
};

// Bytes owned by the bridge; free with weir_text_free (also when empty).
struct WeirText {
  char* data;
  size_t size;
};

// Zero it before a call; free with weir_error_free.
struct WeirError {
  int32_t code;
  int32_t line;    // from 1, within the text that failed; 0: unknown
  int32_t column;
  struct WeirText message;
  struct WeirText view;  // the view whose text failed
};

typedef struct WeirPlan WeirPlan;
typedef struct WeirFragment WeirFragment;
typedef struct WeirDelta WeirDelta;
typedef struct WeirObjects WeirObjects;
typedef struct WeirObjectWriter WeirObjectWriter;

void weir_text_free(struct WeirText text);
void weir_error_free(struct WeirError* error);

// ---- planning: request {"tables": [{"name", "computed": [[name, sql]…], "order": […], "time_column",
// "changelog", "lookup"}…], "views": [{"name",
// "query"}…],
// "query", "target": bool}; one schema a table, then the target's.
int32_t weir_plan(struct WeirSlice request, struct ArrowSchema* const* schemas, size_t schema_count, WeirPlan** plan,
                  struct WeirError* error);
int32_t weir_plan_schema(const WeirPlan* plan, struct ArrowSchema* schema, struct WeirError* error);
// {"sources": [one a branch], "deterministic": bool, "tree": {…}, "nodes": null or [one a node of the graph]}; of a
// graph "sources" has each scanned one once, and a node's "fragment" is the number of its fragment.
int32_t weir_plan_describe(const WeirPlan* plan, struct WeirText* json, struct WeirError* error);
int32_t weir_plan_node_schema(const WeirPlan* plan, size_t node, struct ArrowSchema* schema, struct WeirError* error);
// Each fragment (of a branch, or of the graph) may be taken once.
int32_t weir_plan_take_fragment(WeirPlan* plan, size_t branch, WeirFragment** fragment, struct WeirError* error);
void weir_plan_free(WeirPlan* plan);

// May run on several threads at once. `schema` (of `rows`) is checked against the source's.
int32_t weir_fragment_eval(const WeirFragment* fragment, struct ArrowArray* rows, struct ArrowSchema* schema,
    int64_t now_us,
                           struct ArrowArray* result, struct ArrowSchema* result_schema, struct WeirError* error);
void weir_fragment_free(WeirFragment* fragment);

// ---- Delta: `options` is a JSON object of storage options.
int32_t weir_delta_open(struct WeirSlice uri, struct WeirSlice options, WeirDelta** table, struct WeirError* error);
// request {"partition_by": […], "properties": {…}}
int32_t weir_delta_create(struct WeirSlice uri, struct WeirSlice options, struct ArrowSchema* schema,
    struct WeirSlice request,
                          WeirDelta** table, struct WeirError* error);
int32_t weir_delta_refresh(const WeirDelta* table, struct WeirError* error);
int32_t weir_delta_version(const WeirDelta* table, int64_t* version, struct WeirError* error);
int32_t weir_delta_schema(const WeirDelta* table, struct ArrowSchema* schema, struct WeirError* error);
int32_t weir_delta_partition_columns(const WeirDelta* table, struct WeirText* json, struct WeirError* error);
// [{"path", "size", "modified_ms", "partition_values", "stats"}…] of the loaded snapshot.
int32_t weir_delta_files(const WeirDelta* table, struct WeirText* json, struct WeirError* error);
// {appId: version} of those that start with `prefix`, or (exact) of that one.
int32_t weir_delta_transactions(const WeirDelta* table, struct WeirSlice prefix, int32_t exact, struct WeirText* json,
                                struct WeirError* error);
// commit {"adds": [{"path", "size", "modified_ms", "partition_values": {…}, "stats"}…], "removes": [path…],
// "merge_on": words or absent, "transactions": [[id, version]…], "info": {…}}; new_schema may be null.
int32_t weir_delta_commit(const WeirDelta* table, struct WeirSlice commit, struct ArrowSchema* new_schema,
    int64_t* version,
                          struct WeirError* error);
void weir_delta_free(WeirDelta* table);

// ---- objects on S3
int32_t weir_objects_open(struct WeirSlice uri, struct WeirSlice options, WeirObjects** objects,
    struct WeirError* error);
int32_t weir_objects_put(const WeirObjects* objects, struct WeirSlice path, struct WeirSlice bytes, int32_t if_absent,
                         struct WeirError* error);
int32_t weir_objects_get(const WeirObjects* objects, struct WeirSlice path, struct WeirText* bytes,
    struct WeirError* error);
// Its length and (at most) its last bytes.
int32_t weir_objects_tail(const WeirObjects* objects, struct WeirSlice path, uint64_t most, int64_t* size,
                          struct WeirText* bytes, struct WeirError* error);
int32_t weir_objects_list(const WeirObjects* objects, struct WeirSlice prefix, struct WeirText* json,
    struct WeirError* error);
int32_t weir_objects_remove(const WeirObjects* objects, struct WeirSlice path, struct WeirError* error);
int32_t weir_objects_writer(const WeirObjects* objects, struct WeirSlice path, WeirObjectWriter** writer,
                            struct WeirError* error);
void weir_objects_free(WeirObjects* objects);

int32_t weir_writer_write(WeirObjectWriter* writer, struct WeirSlice bytes, struct WeirError* error);
int32_t weir_writer_close(WeirObjectWriter* writer, struct WeirError* error);
// Without a close before it, what was written is abandoned.
void weir_writer_free(WeirObjectWriter* writer);

// ---- queries: tables [{"schema", "name", "uri", "options": {…}}…]
int32_t weir_query(struct WeirSlice tables, struct WeirSlice sql, struct ArrowArrayStream* stream,
    struct WeirError* error);
// A JSON array of names.
int32_t weir_scalar_functions(struct WeirText* json, struct WeirError* error);

#ifdef __cplusplus
}
#endif
