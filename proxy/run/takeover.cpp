#include "proxy/run/takeover.h"

#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "proxy/log/log.h"
#include "proxy/sync/leftovers.h"

namespace ipvsproxy::run {
namespace {

void remove_leftovers(iptables::Backend chosen, const PerFamily<bool>& enabled) {
    constexpr auto remedy = "it may catch packets: see ipvsproxy check";
    try {
        const auto found = sync::find_leftovers(chosen, enabled);
        if (found.empty()) return;
        const auto refused = sync::remove(found);
        log::info("Removed what another mode of kube-proxy left",
                  {{"objects", found.names()}, {"refused", refused.size()}});
        for (const auto& line : refused)
            log::error("What another mode of kube-proxy left cannot be removed",
                       {{"err", line}, {"remedy", remedy}});
    } catch (const std::exception& error) {
        log::error("What other modes of kube-proxy may have left cannot be looked for",
                   {{"err", error.what()}, {"remedy", remedy}});
    }
}

} // namespace

Takeover::Takeover(iptables::Backend chosen, PerFamily<bool> enabled,
                   std::function<bool()> rules_stand)
    : chosen_{chosen}, enabled_{enabled}, rules_stand_{std::move(rules_stand)} {}

void Takeover::adopted(std::size_t /*differences*/) {
    adopted_ = true;
    look();
}

void Takeover::settled(const sync::Round& /*round*/, const sync::Report& /*report*/,
                       std::chrono::nanoseconds /*duration*/) {
    look();
}

void Takeover::look() {
    if (begun_ || !adopted_ || !rules_stand_()) return;
    begun_ = true;
    boost::asio::post(
        thread_, [chosen = chosen_, enabled = enabled_] { remove_leftovers(chosen, enabled); });
}

} // namespace ipvsproxy::run
