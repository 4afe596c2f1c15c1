// The kubeconfig file (client-go's tools/clientcmd/api/v1).
#pragma once

#include <string>

#include "proxy/api/access.h"

namespace ipvsproxy::api {

/// The access that the current context describes. Unknown fields are passed over, as kubectl does.
/// @param text YAML or JSON. @param file for messages; relative paths start at its folder.
/// @param master counts instead of the cluster's server; may be empty.
/// @throws std::runtime_error that names file, field and remedy.
Access read_kubeconfig(const std::string& text, const std::string& file, const std::string& master);

/// --master as the URL of a server. @throws std::runtime_error that says why it is none.
https::Url parse_master(const std::string& master, const std::string& default_scheme);

} // namespace ipvsproxy::api
