// A model's chat template, and what its answers look like, by llama.cpp's common/chat.h, as C. No exception leaves this file.

#include "chat.h"
#include "log.h"

#include <exception>
#include <string>

namespace {

// What an emitted text is; engine::ggml::chat has the same numbers.
enum kind : int {
    REASON            = 0,
    PROMPT            = 1,
    GENERATION_PROMPT = 2,
    STOP              = 3,
    TRIGGER_WORD      = 5,
    TRIGGER_PATTERN   = 6,
    PRESERVED         = 7,
    THINKING_START    = 8,
    THINKING_END      = 9,
    PARSER            = 10,
    CONTENT           = 11,
    THINKING          = 12,
    CALL_NAME         = 13,
    CALL_ARGUMENTS    = 14,
    CALL_ID           = 15,
};

// How calls are asked for; engine::ggml::chat has the same numbers.
enum calls : int { CALLS_AUTO = 0, CALLS_REQUIRED = 1, CALLS_NONE = 2 };

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

common_chat_tool_choice choice_of(int calls) {
    switch (calls) {
        case CALLS_REQUIRED: return COMMON_CHAT_TOOL_CHOICE_REQUIRED;
        case CALLS_NONE:     return COMMON_CHAT_TOOL_CHOICE_NONE;
        default:             return COMMON_CHAT_TOOL_CHOICE_AUTO;
    }
}

void emit_params(emit_t emit, void * user, const common_chat_params & params) {
    emit_text(emit, user, PROMPT, params.prompt);
    emit_text(emit, user, GENERATION_PROMPT, params.generation_prompt);
    emit_text(emit, user, PARSER, params.parser);
    for (const auto & stop : params.additional_stops) {
        emit_text(emit, user, STOP, stop);
    }
    for (const auto & token : params.preserved_tokens) {
        emit_text(emit, user, PRESERVED, token);
    }
    for (const auto & trigger : params.grammar_lazy ? params.grammar_triggers : std::vector<common_grammar_trigger>()) {
        switch (trigger.type) {
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
                emit_text(emit, user, TRIGGER_PATTERN, trigger.value);
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
                emit_text(emit, user, TRIGGER_PATTERN, "^(?:" + trigger.value + ")$");
                break;
            default:
                emit_text(emit, user, TRIGGER_WORD, trigger.value);
                break;
        }
    }
    if (params.supports_thinking) {
        emit_text(emit, user, THINKING_START, params.thinking_start_tag);
        for (const auto & end : params.thinking_end_tags) {
            emit_text(emit, user, THINKING_END, end);
        }
    }
}

}  // namespace

// Reads answers of one request.
struct hob_chat_parser {
    common_chat_parser_params params;
};

extern "C" {

// What it logs has answers in it.
void hob_chat_quiet() {
    common_log_set_verbosity_thold(LOG_LEVEL_OUTPUT - 1);
}

// The model's own template for an empty text; with a text, no model is needed.
common_chat_templates * hob_chat_new(const llama_model * model, const char * text, emit_t emit, void * user) {
    common_chat_templates * templates = nullptr;
    guarded(emit, user, [&] { templates = common_chat_templates_init(model, text).release(); });
    return templates;
}

void hob_chat_free(common_chat_templates * templates) {
    common_chat_templates_free(templates);
}

// Bit 0: tools are described in the prompt, and calls shown. Bit 1: thinking is switched or shown by the template.
int hob_chat_capabilities(const common_chat_templates * templates, emit_t emit, void * user) {
    int bits = 0;
    guarded(emit, user, [&] {
        const auto caps = common_chat_templates_get_caps(templates);
        const auto has  = [&](const char * name) { return caps.count(name) != 0 && caps.at(name); };
        bits |= has("supports_tools") && has("supports_tool_calls") ? 1 : 0;
        bits |= has("supports_preserve_reasoning") ? 2 : 0;
        bits |= common_chat_templates_support_enable_thinking(templates) ? 2 : 0;
    });
    return bits;
}

// `messages` and `tools` are JSON arrays in OpenAI's form, `effort` is empty or a level of thinking, `schema` is empty or the
// JSON Schema of the answer. Returns the format that `hob_chat_parser_new` wants, or -1.
int hob_chat_apply(const common_chat_templates * templates, const char * messages, const char * tools, int calls,
                   bool parallel, bool think, const char * effort, const char * schema, emit_t emit, void * user) {
    int format = -1;
    guarded(emit, user, [&] {
        common_chat_templates_inputs inputs;
        inputs.messages            = common_chat_msgs_parse_oaicompat(common_json::parse(messages));
        inputs.tools               = common_chat_tools_parse_oaicompat(common_json::parse(tools));
        inputs.tool_choice         = choice_of(calls);
        inputs.parallel_tool_calls = parallel;
        inputs.enable_thinking     = think;
        inputs.reasoning_format    = COMMON_REASONING_FORMAT_DEEPSEEK;
        inputs.json_schema         = schema;
        if (*effort != '\0') {
            inputs.chat_template_kwargs["reasoning_effort"] = common_json(effort).dump();
        }
        const common_chat_params params = common_chat_templates_apply(templates, inputs);
        emit_params(emit, user, params);
        format = params.format;
    });
    return format;
}

hob_chat_parser * hob_chat_parser_new(const char * parser, const char * generation_prompt, int format, emit_t emit,
                                      void * user) {
    hob_chat_parser * made = nullptr;
    guarded(emit, user, [&] {
        auto reader                     = std::make_unique<hob_chat_parser>();
        reader->params.format            = static_cast<common_chat_format>(format);
        reader->params.reasoning_format  = COMMON_REASONING_FORMAT_DEEPSEEK;
        reader->params.generation_prompt = generation_prompt;
        if (*parser != '\0') {
            reader->params.parser.load(parser);
        }
        made = reader.release();
    });
    return made;
}

void hob_chat_parser_free(hob_chat_parser * parser) {
    delete parser;
}

// Reads all that was said of an answer so far.
bool hob_chat_parse(const hob_chat_parser * parser, const char * text, size_t length, bool partial, emit_t emit,
                    void * user) {
    return guarded(emit, user, [&] {
        const common_chat_msg message = common_chat_parse(std::string(text, length), partial, parser->params);
        emit_text(emit, user, CONTENT, message.content);
        emit_text(emit, user, THINKING, message.reasoning_content);
        for (const auto & call : message.tool_calls) {
            emit_text(emit, user, CALL_NAME, call.name);
            emit_text(emit, user, CALL_ARGUMENTS, call.arguments);
            emit_text(emit, user, CALL_ID, call.id);
        }
    });
}

}
