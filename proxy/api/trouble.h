// What stands between a source and the API server, and when that is told.
#pragma once

#include <chrono>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "proxy/api/decode.h"
#include "proxy/api/reflector.h"

namespace ipvsproxy::api {

/// In words for people.
struct Trouble {
    std::string object; ///< what was asked for: `services`; all of them: `API server`
    std::string cause, remedy;
    std::string text() const { return object + ": " + cause + "; " + remedy; }
    friend auto operator<=>(const Trouble&, const Trouble&) = default;
};

/// What an answer other than 200 says. @param code of HTTP's status line.
Trouble trouble_of(const Resource& resource, int code, const Status& status);

/// What it says that no answer came. @param error of Client::send(); its text names the server.
Trouble trouble_of(const std::exception& error);

/// The troubles of all collections. One is told when it begins, and again after 1, 2, 4 … minutes,
/// an hour at most; what several collections have in common is told once.
class Troubles {
public:
    /// @return whether it is to be told now.
    bool report(const std::string& resource, const Trouble& trouble, Moment now);
    /// The collection is well. @return what had been told and is over for all collections.
    std::vector<Trouble> well(const std::string& resource);
    bool any() const noexcept { return !standing_.empty(); }

private:
    struct Standing {
        std::set<std::string> resources{};
        Moment told_again{};
        std::chrono::minutes distance{1};
    };
    std::vector<Trouble> leave(const std::string& resource, const Trouble* stays);

    std::map<Trouble, Standing> standing_;
};

} // namespace ipvsproxy::api
