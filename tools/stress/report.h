// tools/stress/report.h: what a load measured, as text for people and JSON for machines.
//
// Thread: free functions.
#pragma once

#include <optional>
#include <string>

#include "tools/stress/check.h"
#include "tools/stress/generator.h"

namespace starling::stress {

std::string ShowProgress(const Progress& progress);

// `described`: the load in a line. `verdict`: if it was checked.
std::string ShowReport(const LoadReport& report, const std::string& described,
                       const std::optional<Verdict>& verdict);
std::string ReportAsJson(const LoadReport& report, const std::string& described,
                         const std::optional<Verdict>& verdict);

std::string ShowVerdict(const Verdict& verdict);

}  // namespace starling::stress
