// server/resp/reply.h: replies as RESP2 writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace starling::resp {

void AppendSimple(std::string& out, base::Bytes text);  // REQUIRES: no end of line in it.
// `text` begins with the class of the error, as "ERR". Ends of lines in it become spaces.
void AppendError(std::string& out, base::Bytes text);
void AppendInteger(std::string& out, std::int64_t value);
void AppendBulk(std::string& out, base::Bytes bytes);
void AppendNull(std::string& out);
void AppendArray(std::string& out, std::size_t elements);  // They follow.

}  // namespace starling::resp
