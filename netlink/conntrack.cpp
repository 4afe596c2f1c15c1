#include "netlink/conntrack.h"

#include <ostream>

namespace ipvsproxy {

std::ostream& operator<<(std::ostream& out, const Flow& flow) {
    return out << flow.source << " -> " << flow.destination << " answered by " << flow.reply_source;
}

} // namespace ipvsproxy
