# The app on port 7860, on CPUs.  docker build -t flowers . && docker run -p 7860:7860 flowers
# Another model: docker run -p 7860:7860 -v "$PWD/runs/mine:/model:ro" -e MODEL_ID=/model flowers
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /build
COPY requirements.txt .
# PyTorch without CUDA, some gigabytes less: its versions are those of requirements.txt.
RUN grep -E '^torch(vision)?[>=]' requirements.txt > torch.txt \
    && pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu -r torch.txt \
    && pip install --no-cache-dir -r requirements.txt

FROM python:${PYTHON}-slim
RUN useradd --create-home --uid 1000 flowers
COPY --from=build /venv /venv
WORKDIR /app
COPY app.py ./
COPY gan gan/
COPY checkpoints checkpoints/
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 GRADIO_ANALYTICS_ENABLED=False
USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}/config\", timeout=8)"]
CMD ["python", "app.py"]
