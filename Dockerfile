# The page on port 7860, as an ordinary user.
#   docker build -t realism .                                                            (CPU)
#   docker build -t realism --build-arg IMAGE=nvidia/cuda:12.8.1-runtime-ubuntu22.04 .    (GPU)
# torch brings its own CUDA libraries; the CUDA image adds what the driver expects around them.
ARG IMAGE=python:3.11-slim-bookworm
FROM ${IMAGE}

COPY packages.txt /tmp/packages.txt
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive xargs -a /tmp/packages.txt apt-get install -y --no-install-recommends \
 && (command -v python3.11 || apt-get install -y --no-install-recommends python3.11 python3.11-venv) \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 realism
USER realism
WORKDIR /home/realism/app

COPY --chown=realism requirements.txt ./
RUN python3.11 -m venv /home/realism/venv \
 && /home/realism/venv/bin/pip install --no-cache-dir -r requirements.txt
ENV PATH=/home/realism/venv/bin:$PATH

COPY --chown=realism . .
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_ANALYTICS_ENABLED=False \
    REALISM_HOME=/home/realism/people
EXPOSE 7860
CMD ["python", "app.py"]
