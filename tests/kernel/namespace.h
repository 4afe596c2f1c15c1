#pragma once

#include <string>

namespace ipvsproxy::kernel_test {

/// A network namespace of its own for the calling thread: empty but for `lo`, which is up (without
/// it the namespace has no local routing table and IPVS refuses real servers). The thread returns
/// to its former namespace at destruction. Needs CAP_SYS_ADMIN; meant for tests tagged [.kernel].
/// Sockets and children made meanwhile belong to the new namespace; so does /proc/thread-self/net,
/// but /proc/sys/net follows whoever opens it.
class Namespace {
public:
    /// @throws std::system_error when the kernel refuses.
    Namespace();
    ~Namespace();
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;
    Namespace(Namespace&&) = delete;
    Namespace& operator=(Namespace&&) = delete;

    /// A descriptor of this namespace, for setns() and IFLA_NET_NS_FD; owned by this object.
    int descriptor() const noexcept { return own_; }
    /// A path that names this namespace while the object lives, for `ip link set … netns` and
    /// `nsenter`.
    std::string path() const;

private:
    int former_{-1};
    int own_{-1};
};

/// Moves the calling thread into `target` until the end of the scope.
class Inside {
public:
    /// @throws std::system_error when the kernel refuses.
    explicit Inside(const Namespace& target);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    Inside(Inside&&) = delete;
    Inside& operator=(Inside&&) = delete;

private:
    int former_{-1};
};

} // namespace ipvsproxy::kernel_test
