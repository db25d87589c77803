// base/printable.h: text from elsewhere (a file, a peer, a client), fit to be shown.
//
// A name or a key may hold any bytes. Printed as they are, a line end among them makes a line that
// the program never said, and an escape sequence speaks to the reader's terminal.
//
// Thread: a free function.
#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.h"

namespace starling::base {

// `text` as one line: control characters become \n, \r, \t or \x1b and their like. What is no UTF-8
// is shown so, byte by byte, from 0x80 on. Of text over `bytes_max` bytes the first are given,
// never half a character, and "..." follows.
std::string Printable(Bytes text, std::size_t bytes_max = Bytes::npos);

}  // namespace starling::base
