// tools/nodetool/table.h: rows of text in aligned columns, as operators know them.
//
// Thread: a value.
#pragma once

#include <string>
#include <vector>

namespace starling::nodetool {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

  // A row shorter than the header is filled up with nothing.
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  // Each column as wide as its widest cell, two spaces between; no blanks at the end of a line.
  std::string Print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace starling::nodetool
