// A model's chat template, by llama.cpp's common/chat.h, as C. No exception leaves this file.

#include "chat.h"

#include <exception>
#include <string>

namespace {

// What an emitted text is; engine::ggml::chat has the same numbers.
enum kind : int { PROMPT = 0, STOP = 1, REASON = 2 };

using emit_t = void (*)(void * user, int kind, const char * text, size_t length);

void emit_text(emit_t emit, void * user, kind kind, const std::string & text) {
    emit(user, kind, text.data(), text.size());
}

template <typename F> bool guarded(emit_t emit, void * user, F && body) {
    try {
        body();
        return true;
    } catch (const std::exception & error) {
        emit_text(emit, user, REASON, error.what());
    } catch (...) {
        emit_text(emit, user, REASON, "unknown C++ exception");
    }
    return false;
}

}  // namespace

extern "C" {

// The model's own template for an empty text; with a text, no model is needed.
common_chat_templates * hob_chat_new(const llama_model * model, const char * text, emit_t emit, void * user) {
    common_chat_templates * templates = nullptr;
    guarded(emit, user, [&] { templates = common_chat_templates_init(model, text).release(); });
    return templates;
}

void hob_chat_free(common_chat_templates * templates) {
    common_chat_templates_free(templates);
}

// Bit 0: tools are described in the prompt. Bit 1: thinking is switched or shown by the template.
int hob_chat_capabilities(const common_chat_templates * templates, emit_t emit, void * user) {
    int bits = 0;
    guarded(emit, user, [&] {
        const auto caps = common_chat_templates_get_caps(templates);
        const auto has  = [&](const char * name) { return caps.count(name) != 0 && caps.at(name); };
        bits |= has("supports_tools") ? 1 : 0;
        bits |= has("supports_preserve_reasoning") ? 2 : 0;
        bits |= common_chat_templates_support_enable_thinking(templates) ? 2 : 0;
    });
    return bits;
}

bool hob_chat_apply(const common_chat_templates * templates, const char * const * roles, const char * const * contents,
                    size_t count, emit_t emit, void * user) {
    return guarded(emit, user, [&] {
        common_chat_templates_inputs inputs;
        inputs.enable_thinking = false;
        for (size_t i = 0; i < count; i++) {
            common_chat_msg message;
            message.role    = roles[i];
            message.content = contents[i];
            inputs.messages.push_back(std::move(message));
        }
        const common_chat_params params = common_chat_templates_apply(templates, inputs);
        emit_text(emit, user, PROMPT, params.prompt);
        for (const auto & stop : params.additional_stops) {
            emit_text(emit, user, STOP, stop);
        }
    });
}

}
