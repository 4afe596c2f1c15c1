// Owners of what C hands out: a handle that its library frees, and a file descriptor.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

namespace ipvsproxy {

template <auto Close> struct Closer {
    template <class T> void operator()(T* handle) const noexcept { Close(handle); }
};

/// A C library's handle, given back with the library's own function:
/// `Handle<nl_sock, nl_socket_free>`.
template <class T, auto Close> using Handle = std::unique_ptr<T, Closer<Close>>;

/// Owns an open file descriptor; -1 when there is none.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int number) noexcept : number_{number} {}
    FileDescriptor(FileDescriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() {
        if (number_ >= 0) ::close(number_);
    }
    int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }

private:
    int number_{-1};
};

} // namespace ipvsproxy
