// server/scan_page.h: what a replica has of a page of a scan, and what it had purged before it
// looked.
//
// The marks are those that the engine has as of a moment before the page. They are stored in the
// batch that removes or adopts the last of what they are about (server/purge/marks.h), so they are
// of all workers' slices, and none is ahead of what the page shows. The other way round, with marks
// that rose after the page was read, a value would be taken for deleted that a repair brought here
// in between.
//
// Thread:    to be called on the background lane.
// Read next: server/scan_merge.h, server/entry_page.h
#pragma once

#include <string>

#include "server/entry_page.h"

namespace starling::server {

struct ScanPage {
  Page page;
  std::string purged;  // server/purge/purged_runs.h: from the first bucket asked for on.
  // Not 0: marks differ from bucket to bucket, and those of more would be too many. The page has
  // all up to here, and is not done.
  base::Token told_upto = 0;
};

ScanPage ReadScanPage(storage::Engine& engine, const PageRequest& request);

}  // namespace starling::server
