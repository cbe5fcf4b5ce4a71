// The kinds of stateful nodes and who makes them.
#include "operators/group_aggregate.h"
#include "operators/lookup_join.h"
#include "operators/operator.h"
#include "operators/stream_join.h"
#include "operators/window_aggregate.h"
#include "operators/window_join.h"
#include "operators/window_top_n.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_operator(const OperatorContext& context) {
  switch (context.node->kind) {
    case NodeKind::aggregate: return make_group_aggregate(context);
    case NodeKind::window_aggregate: return make_window_aggregate(context);
    case NodeKind::interval_join:
    case NodeKind::join: return create_stream_join(context);
    case NodeKind::lookup_join: return create_lookup_join(context);
    case NodeKind::window_join: return create_window_join(context);
    case NodeKind::window_top_n: return create_window_top_n(context);
    default: break;
  }
  return Status::internal("no operator for the node " + context.node->detail);
}

}  // namespace weir
