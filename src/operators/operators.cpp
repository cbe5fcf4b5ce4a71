// The kinds of stateful nodes and who makes them.
#include "operators/group_aggregate.h"
#include "operators/operator.h"
#include "operators/window_aggregate.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_operator(const OperatorContext& context) {
  switch (context.node->kind) {
    case NodeKind::aggregate: return make_group_aggregate(context);
    case NodeKind::window_aggregate: return make_window_aggregate(context);
    default: break;
  }
  return Status::internal("no operator for the node " + context.node->detail);
}

}  // namespace weir
