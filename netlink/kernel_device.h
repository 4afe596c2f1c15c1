// The device of the running kernel, over rtnetlink.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "netlink/device.h"
#include "netlink/kernel_socket.h"
#include "netlink/link_codec.h"
#include "netlink/route_codec.h"

namespace ipvsproxy {

/// In the network namespace of the thread that makes it. Of two addresses with one IPv6 address and
/// two prefix lengths the kernel holds only one: the second is refused with EEXIST.
class KernelDevice final : public Device {
public:
    /// @throws std::system_error when rtnetlink cannot be opened.
    explicit KernelDevice(std::string name);

    const std::string& name() const override { return name_; }
    bool present() override { return index().has_value(); }
    DeviceState snapshot() override;
    void create() override;
    void destroy() override;
    DeviceOutcome apply(const DeviceAddressChanges& changes) override;

    const netlink::Counters& counters() const noexcept { return socket_.counters(); }

private:
    std::optional<int> index();
    std::vector<netlink::LinkAddress> addresses();
    std::vector<Address> routes();

    std::string name_;
    netlink::Socket socket_;
};

} // namespace ipvsproxy
