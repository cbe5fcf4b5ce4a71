#include "operators/operator.h"
#include "operators/stream_join.h"
#include "operators/window_join.h"
#include "operators/window_top_n.h"

namespace weir {

Result<std::unique_ptr<Operator>> create_operator(const OperatorContext& context) {
  switch (context.node->kind) {
    case NodeKind::interval_join:
    case NodeKind::join: return create_stream_join(context);
    case NodeKind::window_join: return create_window_join(context);
    case NodeKind::window_top_n: return create_window_top_n(context);
    default: return Status::internal(context.node->detail + ": no operator is made from this node");
  }
}

}  // namespace weir
