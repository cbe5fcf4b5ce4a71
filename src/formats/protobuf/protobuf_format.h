// The format 'protobuf': one message an event.
#pragma once

#include "formats/decoder.h"

namespace weir {

FormatInfo protobuf_format();

}  // namespace weir
