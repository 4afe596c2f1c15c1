// The pages of the metrics server, but for the metrics themselves.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/config/options.h"
#include "proxy/http/message.h"
#include "proxy/serve/health.h"

namespace ipvsproxy::serve {

/// What the pages say of this process. Taken at the start, as kube-proxy does.
struct About {
    config::Options options;
    Instant started{};
};

/// @name Parts of answers.
///@{
http::Response text_page(std::string body, unsigned status = 200);
http::Response json_page(std::string body);
http::Response not_found();
///@}

/// /healthz of the metrics server with the one check there is, `ping`; `?verbose` lists it,
/// `?exclude=ping` leaves it out.
http::Response ping_page(const http::Request& request);

/// Every flag with its value: a text, or JSON or YAML as the Accept header asks
/// (config.k8s.io Flagz, KEP-4828).
http::Response flagz(const http::Request& request, const About& about);
/// What runs here since when (config.k8s.io Statusz, KEP-4827). @param paths of this server
http::Response statusz(const http::Request& request, const About& about, Instant now,
                       const std::vector<std::string>& paths);

/// {"kubeproxy.config.k8s.io": {…}}
http::Response configz(const About& about);

/// PUT sets the log's verbosity to the number in the body; any other method 406.
http::Response verbosity_flag(const http::Request& request);
/// 501: Go's profiles have no counterpart in a C++ process; the text says what to use.
http::Response no_profile();

/// A page for each path; paths that end in `/` stand for all below them too.
class Pages {
public:
    void add(std::string path, http::Handler handler);
    http::Response answer(const http::Request& request) const;
    /// Those that /statusz lists.
    std::vector<std::string> paths() const;

private:
    std::vector<std::pair<std::string, http::Handler>> pages_;
};

} // namespace ipvsproxy::serve
