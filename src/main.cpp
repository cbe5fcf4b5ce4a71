// Wires the binary: which sources, formats and sinks it has. Nothing else.
#include <arrow/compute/initialize.h>
#include <arrow/memory_pool.h>

#include <algorithm>
#include <cstdio>

#include "base/environment.h"
#include "cli/command.h"
#include "clients/schema_registry_client.h"
#include "formats/formats.h"
#include "formats/payload_stage.h"
#include "lookup/lookups.h"
#include "sinks/sinks.h"
#include "sources/sources.h"

int main(int argc, char** argv) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2")) {
    std::fprintf(
        stderr,
        "error: weir needs a processor with AVX2 and BMI2 (Intel Haswell, AMD Excavator, or later)\n");
    return 1;
  }
#endif
  // Arrow's own choice, mimalloc, holds 80 MB more at full speed (docs/benchmarks.md).
  auto pools = arrow::SupportedMemoryBackendNames();
  if (std::find(pools.begin(), pools.end(), "jemalloc") != pools.end()) {
    weir::default_environment_variable("ARROW_DEFAULT_MEMORY_POOL", "jemalloc");
  }
  if (!arrow::compute::Initialize().ok()) return 1;
  weir::Registry registry{weir::all_sources(),
                          weir::all_sinks(),
                          weir::all_formats(),
                          {weir::schema_registry_option_specs(), weir::open_schema_lookup},
                          {weir::payload_option_specs(), weir::check_payload_options},
                          weir::all_lookups()};
  return weir::run_command_line(argc, argv, registry);
}
