# Sourced by the other scripts: one cache folder, and the faster tools where they are there.
export HOB_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/hob"
if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
if command -v ninja >/dev/null; then
    export CMAKE_GENERATOR=Ninja
fi
