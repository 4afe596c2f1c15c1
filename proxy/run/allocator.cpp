#include "proxy/run/allocator.h"

#include <malloc.h>

namespace ipvsproxy::run {
namespace {

constexpr int mapped_from = 128 << 10; // glibc's own limit, which then stays where it is
constexpr int kept_free = 512 << 10;

} // namespace

void set_allocator() noexcept {
    // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, mapped_from);
    mallopt(M_TRIM_THRESHOLD, kept_free);
    // NOLINTEND(concurrency-mt-unsafe)
}

} // namespace ipvsproxy::run
