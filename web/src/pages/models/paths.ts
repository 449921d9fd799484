// Addresses within these pages.

/** The address of a model's own page. */
export const pathOf = (name: string): string => `/models?show=${encodeURIComponent(name)}`;
