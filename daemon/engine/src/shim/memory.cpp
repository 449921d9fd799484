// What llama.cpp has allocated for a context and its model, by what for, as C. No exception leaves this file.

#include "ggml-backend.h"
#include "llama-ext.h"

#include <cstdint>
#include <cstring>

// Bytes of weights, of the context's memory and of compute buffers, without what is on other boxes; false if it is not known.
extern "C" bool hob_memory_parts(const llama_context * context, uint64_t parts[3]) {
    try {
        parts[0] = parts[1] = parts[2] = 0;
        for (const auto & [type, data] : llama_get_memory_breakdown(context)) {
            ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
            ggml_backend_reg_t reg = device ? ggml_backend_dev_backend_reg(device) : nullptr;
            if (reg && std::strcmp(ggml_backend_reg_name(reg), "RPC") == 0) continue;
            parts[0] += data.model;
            parts[1] += data.context;
            parts[2] += data.compute;
        }
        return true;
    } catch (...) {
        return false;
    }
}
