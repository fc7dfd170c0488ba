import { api, idempotencyKey } from '../../api/client';
import { isMarkedDeleted } from './deletions';

/** The conversation that begins on a page, made when its first message goes. It is made once: when that message is refused, the next one goes into it, and no empty conversations are left. */
export class Beginning {
  #key = idempotencyKey();
  #team: string | undefined;
  #id: string | undefined;
  #made: Promise<string | undefined> | null = null;

  /** Its id. Asked for again after a failure it is the same request, of which the answer may have been lost. */
  conversation(team: string | undefined): Promise<string | undefined> {
    if (this.#id !== undefined && isMarkedDeleted(this.#id)) this.forget();
    if (this.#made === null && this.#team !== team) {
      this.#key = idempotencyKey(); // another body is another request
      this.#team = team;
    }
    return this.#made ??= this.#make();
  }

  /** It is not there any more. */
  forget(): void {
    this.#key = idempotencyKey();
    this.#id = undefined;
    this.#made = null;
  }

  async #make(): Promise<string | undefined> {
    try {
      const { data } = await api.POST('/api/v1/conversations', { body: this.#team ? { team: this.#team } : {}, headers: { 'Idempotency-Key': this.#key } });
      this.#id = data?.id;
      return this.#id;
    } catch (error) {
      this.#made = null;
      throw error;
    }
  }
}
