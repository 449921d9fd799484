// ggml's RPC over a descriptor that this process was born with: upstream's protocol (ggml-rpc.cpp, unchanged), carried by what
// stands here in place of upstream's transport.cpp. No socket is opened: the endpoint "born:7" is the descriptor 7.

#include "ggml-backend.h"
#include "ggml-backend-impl.h"
#include "ggml-rpc.h"
#include "transport.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

// A message is written in small parts, and goes as a whole.
static constexpr size_t PART_BYTES = 256 * 1024;

struct socket_t::impl {
    int fd;
    bool listens;
    bool taken = false;
    std::vector<char> unsent;

    impl(int fd, bool listens) : fd(fd), listens(listens) {}

    ~impl() {
        // Who listens gave its descriptor away.
        if (!listens && fd >= 0) close(fd);
    }

    bool write_all(const char * data, size_t size) {
        while (size > 0) {
            ssize_t written = send(fd, data, std::min(size, MAX_CHUNK_SIZE), MSG_NOSIGNAL);
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return false;
            data += written;
            size -= (size_t) written;
        }
        return true;
    }

    bool flush() {
        bool sent = write_all(unsent.data(), unsent.size());
        unsent.clear();
        return sent;
    }

    bool put(const void * data, size_t size) {
        if (unsent.size() + size <= PART_BYTES) {
            unsent.insert(unsent.end(), (const char *) data, (const char *) data + size);
            return true;
        }
        return flush() && write_all((const char *) data, size);
    }

    bool get(void * data, size_t size) {
        char * into = (char *) data;
        while (size > 0) {
            ssize_t read = recv(fd, into, std::min(size, MAX_CHUNK_SIZE), 0);
            if (read < 0 && errno == EINTR) continue;
            if (read <= 0) return false;
            into += read;
            size -= (size_t) read;
        }
        return true;
    }
};

socket_t::socket_t(std::unique_ptr<impl> p) : pimpl(std::move(p)) {}
socket_t::~socket_t() = default;

bool socket_t::send_data(const void * data, size_t size) { return pimpl->put(data, size); }
bool socket_t::recv_data(void * data, size_t size) { return pimpl->get(data, size); }
bool socket_t::flush() { return pimpl->flush(); }
void socket_t::get_caps(uint8_t * caps) { memset(caps, 0, RPC_CONN_CAPS_SIZE); }
void socket_t::update_caps(const uint8_t *) {}

socket_ptr socket_t::create_server(const char *, int port) {
    return socket_ptr(new socket_t(std::make_unique<impl>(port, true)));
}

// One connection, the one that it was born with, and then none: ggml's server ends with it.
socket_ptr socket_t::accept() {
    if (pimpl->taken) return nullptr;
    pimpl->taken = true;
    return socket_ptr(new socket_t(std::make_unique<impl>(pimpl->fd, false)));
}

socket_ptr socket_t::connect(const char *, int port) {
    return socket_ptr(new socket_t(std::make_unique<impl>(port, false)));
}

bool rpc_transport_init() { return true; }
void rpc_transport_shutdown() {}

// What the device has, as whoever borrows it is told: what was granted.
static size_t granted_bytes = 0;
static ggml_backend_dev_t lent = nullptr;
static ggml_backend_device told;

static void tell_memory(ggml_backend_dev_t, size_t * free, size_t * total) {
    *free = granted_bytes;
    *total = granted_bytes;
}

static ggml_backend_t init_lent(ggml_backend_dev_t, const char * params) {
    ggml_backend_t backend = lent->iface.init_backend(lent, params);
    if (backend) backend->device = &told;
    return backend;
}

// Lends the first GPU, or else the processor, until the stream ends. False if there is neither.
extern "C" bool hob_remote_lend(int fd, size_t threads, size_t bytes) {
    lent = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU);
    if (!lent) lent = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (!lent) return false;
    granted_bytes = bytes;
    told = *lent;
    told.iface.get_memory = tell_memory;
    told.iface.init_backend = init_lent;
    ggml_backend_dev_t devices[] = { &told };
    const std::string endpoint = "born:" + std::to_string(fd);
    ggml_backend_rpc_start_server(endpoint.c_str(), nullptr, threads, 1, devices);
    return true;
}

// The device at the other end of a stream; null if there is none. The connection lasts as long as the process: ggml would end it
// whenever nobody holds it, and begin another, which this stream cannot be.
extern "C" ggml_backend_dev_t hob_remote_device(int fd) {
    const std::string endpoint = "born:" + std::to_string(fd);
    if (!ggml_backend_rpc_init(endpoint.c_str(), 0)) return nullptr;
    ggml_backend_reg_t server = ggml_backend_rpc_add_server(endpoint.c_str());
    return server ? ggml_backend_reg_dev_get(server, 0) : nullptr;
}
