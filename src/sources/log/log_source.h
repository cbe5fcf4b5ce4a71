// Connector 'http': events that services have sent to `weir serve`, read from its embedded log.
#pragma once

#include "sources/source.h"

namespace weir {

// A partition's id is "<stream>@<id of its creation>/<number>".
SourceConnector http_connector();

}  // namespace weir
