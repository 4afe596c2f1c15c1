// A node's state as JSON or YAML, and back.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/plan/changes.h"
#include "proxy/plan/text.h"

namespace ipvsproxy::cli {

/// How a state or a difference is printed.
enum class Output : std::uint8_t { text, json, yaml };

/// `{"apiVersion": "ipvsproxy.io/v1", "kind": "NodeState", …}`: every list ordered, so that equal
/// states give equal text. Connection counts stand beside the real servers that have any.
boost::json::value to_json(const plan::NodeSnapshot& state);

/// What to_json() gave, from JSON or YAML text.
/// @throws std::runtime_error that says where the text is not of that form.
plan::NodeSnapshot parse_snapshot(std::string_view text);

/// One object a line of change: `{"sign": "+", "table": "ipvs", "command": …, "reason": …,
/// "service": …}`.
boost::json::value to_json(const std::vector<plan::Line>& lines);

/// Indented JSON, keys in the order in which they were put in.
std::string json_text(const boost::json::value& value);
std::string yaml_text(const boost::json::value& value);

} // namespace ipvsproxy::cli
