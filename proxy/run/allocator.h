// How the daemon's process holds memory.
#pragma once

namespace ipvsproxy::run {

/// Sets malloc (mallopt(3)) for a process that lives long, is mostly idle, and has two threads that
/// take turns: one heap for both, and some hundred KiB at its end that are kept. Otherwise an event
/// of a large Service would ask the system for the same pages, and give them back, each time. What
/// is larger than that comes from the system, and goes back to it, by itself. To be called while
/// there is one thread.
void set_allocator() noexcept;

} // namespace ipvsproxy::run
