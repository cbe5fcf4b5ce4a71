// Connector 'file': lines of one file, a folder or a glob; plain, gzip or zstd; read once or followed.
#pragma once

#include "sources/source.h"

namespace weir {

// A partition is a file: its absolute path. Offsets are uncompressed bytes.
SourceConnector file_connector();

}  // namespace weir
