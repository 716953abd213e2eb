pub fn build() void {}
