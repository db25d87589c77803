#include "tools/starlingd/open_files.h"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace starling {

void RaiseOpenFiles(std::uint64_t connections_max) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;  // Then nobody knows of a limit.
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max) {
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
      limit = raised;
    else
      base::log::Warn("node", "cannot raise the limit of open files from {} to {}: {}",
                      limit.rlim_cur, limit.rlim_max, std::strerror(errno));
  }
  if (limit.rlim_cur >= connections_max + kFilesBesideClients) return;
  base::log::Warn("node",
                  "limits.connections is {}, but this process may have {} open files, and needs "
                  "about {} of them for itself: raise the limit (ulimit -Hn, or LimitNOFILE= of "
                  "systemd), or lower limits.connections",
                  connections_max, limit.rlim_cur, kFilesBesideClients);
}

}  // namespace starling
