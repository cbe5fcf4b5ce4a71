#include "clients/clickhouse_error.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

namespace weir {
namespace {

bool one_of(int code, std::initializer_list<int> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// Of ClickHouse's src/Common/ErrorCodes.cpp.
constexpr std::initializer_list<int> kRetry = {
    3,     // UNEXPECTED_END_OF_FILE: a body that was cut on its way
    23,    // CANNOT_READ_FROM_ISTREAM
    24,    // CANNOT_WRITE_TO_OSTREAM
    32,    // ATTEMPT_TO_READ_AFTER_EOF
    33,    // CANNOT_READ_ALL_DATA
    74,    // CANNOT_READ_FROM_FILE_DESCRIPTOR
    75,    // CANNOT_WRITE_TO_FILE_DESCRIPTOR
    76,    // CANNOT_OPEN_FILE
    95,    // CANNOT_READ_FROM_SOCKET
    96,    // CANNOT_WRITE_TO_SOCKET
    159,   // TIMEOUT_EXCEEDED
    160,   // TOO_SLOW
    164,   // READONLY
    173,   // CANNOT_ALLOCATE_MEMORY
    201,   // QUOTA_EXCEEDED
    202,   // TOO_MANY_SIMULTANEOUS_QUERIES
    203,   // NO_FREE_CONNECTION
    209,   // SOCKET_TIMEOUT
    210,   // NETWORK_ERROR
    218,   // TABLE_IS_DROPPED
    225,   // NO_ZOOKEEPER
    236,   // ABORTED
    241,   // MEMORY_LIMIT_EXCEEDED
    242,   // TABLE_IS_READ_ONLY
    243,   // NOT_ENOUGH_SPACE
    252,   // TOO_MANY_PARTS
    254,   // NO_ACTIVE_REPLICAS
    279,   // ALL_CONNECTION_TRIES_FAILED
    285,   // TOO_FEW_LIVE_REPLICAS
    286,   // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    289,   // REPLICA_IS_NOT_IN_QUORUM
    319,   // UNKNOWN_STATUS_OF_INSERT
    394,   // QUERY_WAS_CANCELLED
    425,   // SYSTEM_ERROR
    439,   // CANNOT_SCHEDULE_TASK
    473,   // DEADLOCK_AVOIDED
    499,   // S3_ERROR
    700,   // USER_SESSION_LIMIT_EXCEEDED
    733,   // TABLE_IS_BEING_RESTARTED
    745,   // SERVER_OVERLOADED
    999,   // KEEPER_EXCEPTION
    1000,  // POCO_EXCEPTION
    1001,  // STD_EXCEPTION
};

constexpr std::initializer_list<int> kDenied = {
    192,  // UNKNOWN_USER
    193,  // WRONG_PASSWORD
    194,  // REQUIRED_PASSWORD
    195,  // IP_ADDRESS_NOT_ALLOWED
    291,  // DATABASE_ACCESS_DENIED
    497,  // ACCESS_DENIED
    516,  // AUTHENTICATION_FAILED
};

constexpr std::initializer_list<int> kChanged = {
    8,   // THERE_IS_NO_COLUMN
    10,  // NOT_FOUND_COLUMN_IN_BLOCK
    16,  // NO_SUCH_COLUMN_IN_TABLE
    20,  // NUMBER_OF_COLUMNS_DOESNT_MATCH
    44,  // ILLEGAL_COLUMN: a column that became MATERIALIZED or ALIAS
    47,  // UNKNOWN_IDENTIFIER
    50,  // UNKNOWN_TYPE
    53,  // TYPE_MISMATCH
    60,  // UNKNOWN_TABLE
    81,  // UNKNOWN_DATABASE
};

constexpr std::initializer_list<int> kRow = {
    6,    // CANNOT_PARSE_TEXT
    27,   // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    38,   // CANNOT_PARSE_DATE
    41,   // CANNOT_PARSE_DATETIME
    69,   // ARGUMENT_OUT_OF_BOUND
    70,   // CANNOT_CONVERT_TYPE
    72,   // CANNOT_PARSE_NUMBER
    117,  // INCORRECT_DATA
    128,  // TOO_LARGE_ARRAY_SIZE
    131,  // TOO_LARGE_STRING_SIZE
    153,  // ILLEGAL_DIVISION
    321,  // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349,  // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    376,  // CANNOT_PARSE_UUID
    395,  // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
    407,  // DECIMAL_OVERFLOW
    441,  // CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING
    469,  // VIOLATED_CONSTRAINT
    675,  // CANNOT_PARSE_IPV4
    676,  // CANNOT_PARSE_IPV6
    691,  // UNKNOWN_ELEMENT_OF_ENUM
};

}  // namespace

ServerErrorKind classify_server_error(int code, int http_status, std::string_view message) {
  // The same code as too many parts in the table, which passes; fewer rows hold fewer partitions.
  if (code == 252 && message.find("partitions for single INSERT block") != std::string_view::npos)
    return ServerErrorKind::row;
  if (one_of(code, kRetry)) return ServerErrorKind::retry;
  if (one_of(code, kDenied)) return ServerErrorKind::denied;
  if (one_of(code, kChanged)) return ServerErrorKind::changed;
  if (one_of(code, kRow)) return ServerErrorKind::row;
  if (code != 0) return ServerErrorKind::fatal;
  if (http_status == 401 || http_status == 403) return ServerErrorKind::denied;
  if (http_status >= 500 || http_status == 408 || http_status == 429) return ServerErrorKind::retry;
  return http_status >= 200 && http_status < 300 ? ServerErrorKind::none : ServerErrorKind::fatal;
}

ServerErrorText parse_server_error(std::string_view body) {
  ServerErrorText error;
  size_t at = body.find("Code: ");
  if (at != std::string_view::npos) {
    std::string_view digits = body.substr(at + 6);
    auto end = std::from_chars(digits.data(), digits.data() + digits.size(), error.code).ptr;
    body = digits.substr(static_cast<size_t>(end - digits.data()));
    for (std::string_view skip : {".", ",", " ", "e.displayText() = ", "DB::Exception: "})
      if (body.starts_with(skip)) body.remove_prefix(skip.size());
  }
  for (std::string_view stop : {" (version ", ", e.what() = ", "Stack trace:", "\n"})
    body = body.substr(0, body.find(stop));
  constexpr size_t kLongestBytes = 1000;
  error.message = body.substr(0, kLongestBytes);
  while (!error.message.empty() && (error.message.back() == ' ' || error.message.back() == '\r'))
    error.message.pop_back();
  return error;
}

}  // namespace weir
