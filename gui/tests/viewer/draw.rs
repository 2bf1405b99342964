//! Draws as the viewer does, into memory: with OpenGL on the processor, so that every machine draws
//! the same.

#![allow(unsafe_code, reason = "OpenGL")]

use std::sync::Arc;

use eframe::egui::{self, ColorImage, FullOutput, TexturesDelta};
use eframe::egui_glow::Painter;
use eframe::glow::{self, HasContext as _};
use egui_kittest::TestRenderer;
use glutin::api::egl::context::PossiblyCurrentContext;
use glutin::api::egl::device::Device;
use glutin::api::egl::display::Display;
use glutin::config::{ConfigSurfaceTypes, ConfigTemplateBuilder};
use glutin::context::ContextAttributesBuilder;
use glutin::display::{GetGlDisplay as _, GlDisplay as _};
use image::RgbaImage;

const MISSING: &str = "Mesa's software OpenGL is missing; run `make install-deps` (Debian: libegl1, \
    libegl-mesa0, libgl1-mesa-dri; Fedora: libglvnd-egl, mesa-libEGL, mesa-dri-drivers)";

pub(crate) struct Software {
    context: PossiblyCurrentContext,
    gl: Arc<glow::Context>,
    painter: Painter,
}

impl Software {
    pub(crate) fn new() -> Self {
        let context = context().unwrap_or_else(|error| panic!("{error}: {MISSING}"));
        let display = context.display();
        let find = |name: &_| display.get_proc_address(name).cast();
        // SAFETY: the context is current, and these are its functions.
        let gl = unsafe { glow::Context::from_loader_function_cstr(find) };
        let gl = Arc::new(gl);
        let painter = Painter::new(gl.clone(), "", None, false).unwrap();
        Self { context, gl, painter }
    }

    /// Makes an image of this size the one that is drawn to.
    fn bind_image(&self, [width, height]: [u32; 2]) {
        let (width, height) = (width.cast_signed(), height.cast_signed());
        // SAFETY: the context is current; what is made here belongs to it and ends with it.
        #[allow(clippy::multiple_unsafe_ops_per_block, reason = "one thing in five calls")]
        unsafe {
            let pixels = self.gl.create_renderbuffer().unwrap();
            self.gl.bind_renderbuffer(glow::RENDERBUFFER, Some(pixels));
            self.gl.renderbuffer_storage(glow::RENDERBUFFER, glow::RGBA8, width, height);
            let frame = self.gl.create_framebuffer().unwrap();
            self.gl.bind_framebuffer(glow::FRAMEBUFFER, Some(frame));
            self.gl.framebuffer_renderbuffer(
                glow::FRAMEBUFFER,
                glow::COLOR_ATTACHMENT0,
                glow::RENDERBUFFER,
                Some(pixels),
            );
        }
    }
}

/// Of the device that Mesa makes of the processor, whatever others there are.
fn context() -> Result<PossiblyCurrentContext, String> {
    let text = |error: glutin::error::Error| error.to_string();
    let is_software = |device: &Device| device.extensions().contains("EGL_MESA_device_software");
    let mut devices = Device::query_devices().map_err(text)?;
    let device = devices.find(is_software).ok_or("no device draws in software")?;
    // SAFETY: without a handle of a display there is none that could be wrong.
    let display = unsafe { Display::with_device(&device, None) }.map_err(text)?;
    let template =
        ConfigTemplateBuilder::new().with_surface_type(ConfigSurfaceTypes::empty()).build();
    // SAFETY: nor does the template name any window.
    let configs = unsafe { display.find_configs(template) }.map_err(text)?;
    let config = configs.into_iter().next().ok_or("no way to draw")?;
    let attributes = ContextAttributesBuilder::new().build(None);
    // SAFETY: nor do the attributes.
    let context = unsafe { display.create_context(&config, &attributes) }.map_err(text)?;
    context.make_current_surfaceless().map_err(text)
}

impl TestRenderer for Software {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        self.context.make_current_surfaceless().unwrap();
        for (id, images) in delta.set.drain() {
            for image in images {
                self.painter.set_texture(id, &image);
            }
        }
        for id in delta.free.drain() {
            self.painter.free_texture(id);
        }
    }

    #[allow(clippy::cast_sign_loss, reason = "a size")]
    fn render(&mut self, ctx: &egui::Context, output: &FullOutput) -> Result<RgbaImage, String> {
        self.context.make_current_surfaceless().map_err(|error| error.to_string())?;
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let size = [size.x.round() as u32, size.y.round() as u32];
        self.bind_image(size);
        self.painter.clear(size, [0.0, 0.0, 0.0, 1.0]);
        let primitives = ctx.tessellate(output.shapes.clone(), scale);
        self.painter.paint_primitives(size, scale, &primitives);
        let ColorImage { pixels, .. } = self.painter.read_screen_rgba(size);
        let bytes = pixels.iter().flat_map(egui::Color32::to_array).collect();
        RgbaImage::from_raw(size[0], size[1], bytes).ok_or_else(|| "wrong size".to_owned())
    }
}

impl Drop for Software {
    fn drop(&mut self) {
        if self.context.make_current_surfaceless().is_ok() {
            self.painter.destroy();
        }
    }
}
